import { expect, it } from 'vitest'
import { credentialsOf, goesByTcp, withCredentials } from './ladder'

function stats(protocol: string | undefined): RTCStatsReport {
  return new Map<string, object>([
    ['p2', { type: 'candidate-pair', localCandidateId: 'l2' }],
    ['l2', { type: 'local-candidate', protocol }],
    ['t', { type: 'transport', selectedCandidatePairId: protocol === undefined ? undefined : 'p2' }],
  ]) as unknown as RTCStatsReport
}

it('tells TCP from UDP by the pair in use', () => {
  expect(goesByTcp(stats('tcp'))).toBe(true)
  expect(goesByTcp(stats('udp'))).toBe(false)
  expect(goesByTcp(stats(undefined))).toBe(false)
  expect(goesByTcp(new Map() as unknown as RTCStatsReport)).toBe(false)
})

it('puts new credentials into every m-line of an answer and changes nothing else', () => {
  const answer = 'v=0\r\na=ice-lite\r\nm=audio 9\r\na=ice-ufrag:old\r\na=ice-pwd:older\r\na=mid:0\r\nm=video 9\r\na=ice-ufrag:old\r\na=ice-pwd:older\r\n'
  expect(withCredentials(answer, 'a=ice-lite\r\na=ice-ufrag:new$1\r\na=ice-pwd:newer\r\n'))
    .toBe(answer.replaceAll('ufrag:old', () => 'ufrag:new$1').replaceAll('pwd:older', 'pwd:newer'))
  expect(withCredentials(answer, 'a=ice-ufrag:new\r\n')).toBeNull()
  expect(credentialsOf(answer)).toBe('a=ice-ufrag:old\r\na=ice-pwd:older\r\n')
})
