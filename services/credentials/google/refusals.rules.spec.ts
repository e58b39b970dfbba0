import { expect, test } from '@jest/globals';
import { messageOf, refusalOf } from './refusals.rules.ts';

const reply = (code: number, status: string, message: string) => ({
  status: code,
  body: { error: { code, status, message } },
});
const session = 'WebRtc error caused by invalid session or user id mismatch.';
const generate = 'CameraLiveStream.GenerateWebRtcStream';
const extend = 'CameraLiveStream.ExtendWebRtcStream';

test.each([
  [generate, 400, 'INVALID_ARGUMENT', 'Request contains an invalid argument.', 'unsupported'],
  [generate, 400, 'INVALID_ARGUMENT', 'offerSdp value must be set in params.', 'invalid'],
  [generate, 400, 'INVALID_ARGUMENT', 'Invalid offer SDP: m-lines', 'invalid'],
  [generate, 400, 'FAILED_PRECONDITION', 'Precondition check failed.', 'busy'],
  [extend, 400, 'FAILED_PRECONDITION', 'Command is not supported for doorbell.', 'unsupported'],
  [extend, 400, 'FAILED_PRECONDITION', session, 'session-lost'],
  [extend, 400, 'FAILED_PRECONDITION', 'Precondition check failed.', 'session-lost'],
  [extend, 400, 'INVALID_ARGUMENT', 'Request contains an invalid argument.', 'session-lost'],
  ['CameraLiveStream.StopRtspStream', 400, 'INVALID_ARGUMENT', 'x', 'session-lost'],
  ['CameraEventImage.GenerateImage', 400, 'FAILED_PRECONDITION', 'Event does not belong to the camera.', 'invalid'],
  [generate, 401, 'UNAUTHENTICATED', 'x', 'unauthorized'],
  [generate, 403, 'PERMISSION_DENIED', 'x', 'unauthorized'],
  [extend, 404, 'NOT_FOUND', 'x', 'gone'],
  [generate, 409, 'ABORTED', 'x', 'busy'],
  [generate, 429, 'RESOURCE_EXHAUSTED', 'x', 'rate-limited'],
  [generate, 500, 'INTERNAL', 'x', 'unavailable'],
  [generate, 503, 'UNAVAILABLE', 'x', 'unavailable'],
  [generate, 504, 'DEADLINE_EXCEEDED', 'x', 'unavailable'],
  [generate, 302, '', 'x', 'unavailable'],
] as const)('%s refused with %i %s "%s" is %s', (command, code, status, message, reason) => {
  expect(refusalOf(command, reply(code, status, message))).toEqual({ ok: false, reason, message, retryAfterMs: null });
});

test('what Google says is one bounded line, or its status', () => {
  expect(messageOf(reply(500, 'INTERNAL', `a\n b${'x'.repeat(400)}`))).toMatch(/^a bx{297}$/);
  expect(messageOf({ status: 502, body: null })).toBe('HTTP 502');
  expect(messageOf({ status: 400, body: { error: 'invalid_request', error_description: 'why' } })).toBe('why');
});
