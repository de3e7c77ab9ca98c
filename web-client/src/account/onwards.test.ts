import { expect, it } from 'vitest'
import { onwards } from './onwards'

const ROUTES = ['/', '/lessons', '/replay/:recordingId', '/:rest(.*)*']

it('leads on to a page of our own', () => {
  for (const to of ['/', '/lessons', '/lessons?day=2026-09-01&x=%E4%B8%89', '/replay/0197-ab#12'])
    expect(onwards(to, ROUTES)).toBe(to)
})

it('leads nobody out of the house, however the way is written', () => {
  for (const to of [
    '//evil.example', '/\\evil.example', '\\\\evil.example', 'https:evil.example', 'https://evil.example', 'evil.example',
    '/\t/evil.example', '/\n/evil.example', '\t//evil.example', '/%0a/../\\evil', '/lessons\\..\\..\\evil', '/@evil.example',
    'javascript:alert(1)', 'data:text/html,x', '', '/nowhere', '/rest', ['/lessons', '//evil'], null, undefined, 7,
  ])
    expect(onwards(to, ROUTES), String(to)).toBe('/')
})
