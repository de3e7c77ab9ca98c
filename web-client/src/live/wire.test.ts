import { expect, it } from 'vitest'
import { parseServerMessage } from './wire'

it('reads what the hub says', () => {
  expect(parseServerMessage('{"type":"pong","sent_ms":1,"now_ms":2}')).toEqual({ type: 'pong', sent_ms: 1, now_ms: 2 })
  expect(parseServerMessage('{"type":"bye","reason":"replaced"}')).toEqual({ type: 'bye', reason: 'replaced' })
})

it.each([
  ['not JSON', '{'],
  ['no object', '[1]'],
  ['null', 'null'],
  ['no type', '{"now_ms":1}'],
  ['a type of a newer hub', '{"type":"hand","hands":[]}'],
  ['a name that every object has', '{"type":"toString"}'],
  ['a field of another kind', '{"type":"seats","seats":{}}'],
  ['a field missing', '{"type":"welcome","seat_id":"s"}'],
])('passes over %s', (_, text) => {
  expect(parseServerMessage(text)).toBeNull()
})
