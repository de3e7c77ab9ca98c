import { expect, it } from 'vitest'
import { actOf } from './keys'

it.each([
  [' ', { kind: 'toggle' }],
  ['K', { kind: 'toggle' }],
  ['j', { kind: 'jump', seconds: -10 }],
  ['ArrowRight', { kind: 'jump', seconds: 5 }],
  ['7', { kind: 'tenth', tenth: 7 }],
  ['>', { kind: 'speed', steps: 1 }],
  ['.', { kind: 'frame', pictures: 1 }],
  ['?', { kind: 'help' }],
] as const)('%s', (key, act) => {
  expect(actOf(key)).toEqual(act)
})

it.each(['x', 'Enter', 'Tab', 'Escape', '10', ''])('leaves %s to others', (key) => {
  expect(actOf(key)).toBeNull()
})
