import { expect, it } from 'vitest'
import { Pulse } from './pulse'

/** One letter per 100 ms: `x` something arrived, `.` nothing did. Gives the indices at which a stop was detected. */
function felt(story: string): number[] {
  const pulse = new Pulse(200)
  let figure = 0
  return [...story].flatMap((look, at) => pulse.feel(look === 'x' ? ++figure : figure, at * 100) ? [at] : [])
}

const even = 'x'.repeat(21)

it('tells once that what came evenly has stopped, after 200 ms', () => {
  expect(felt(`${even}......`)).toEqual([22])
  expect(felt(`${even}....${even}....`)).toEqual([22, 47])
})

it('does not miss what has just begun, or comes now and then', () => {
  expect(felt('....')).toEqual([])
  expect(felt('xxxxxxxxxx....')).toEqual([])
  expect(felt('x..x..x...x..'.repeat(10))).toEqual([])
})
