import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readMessage } from './messages.rules.ts';

const device = 'enterprises/p/devices/d';
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
const message = (more: object) => encode({ eventId: 'm1', timestamp: '2026-11-21T12:00:00.123+01:00', ...more });
const events = (told: object, name = device) => message({ resourceUpdate: { name, events: told } });
const body = { eventSessionId: 's1', eventId: 'e1' };

test.each([
  ['CameraMotion.Motion', 'motion'],
  ['CameraPerson.Person', 'person'],
  ['CameraSound.Sound', 'sound'],
  ['DoorbellChime.Chime', 'chime'],
])('%s is %s', (key, event) => {
  expect(readMessage(events({ [`sdm.devices.events.${key}`]: body }))).toEqual({
    id: 'm1',
    noticed: [{ device, event, eventId: 'e1', sessionId: 's1', at: '2026-11-21T11:00:00.123Z' }],
    relations: false,
  });
});

test('one message may tell several events', () => {
  const told = { 'sdm.devices.events.CameraMotion.Motion': body, 'sdm.devices.events.CameraPerson.Person': body };
  expect(readMessage(events(told))?.noticed.map(({ event }) => event)).toEqual(['motion', 'person']);
});

test('a change among devices is told apart', () => {
  const relationUpdate = { type: 'CREATED', subject: '', object: device };
  expect(readMessage(message({ relationUpdate }))).toEqual({ id: 'm1', noticed: [], relations: true });
});

test.each([
  ['an event nobody knows', events({ 'sdm.devices.events.CameraClipPreview.ClipPreview': { previewUrl: 'x' } })],
  ['an event without ids', events({ 'sdm.devices.events.CameraMotion.Motion': {} })],
  ['a name that is no device', events({ 'sdm.devices.events.CameraMotion.Motion': body }, 'enterprises/../devices/x')],
  ['a change of traits', message({ resourceUpdate: { name: device, traits: {} } })],
])('%s tells nothing', (_what, data) => {
  expect(readMessage(data)).toMatchObject({ noticed: [], relations: false });
});

test.each([null, 7, '', 'AAAA', encode(null), encode([]), encode({ eventId: 'x' }), encode({ timestamp: 'x' })])(
  '%j is no message',
  (data) => {
    expect(readMessage(data)).toBeNull();
  },
);

test('no message ends the reader', () => {
  const wild = fc.record({ eventId: fc.string(), timestamp: fc.date(), resourceUpdate: fc.jsonValue() });
  const anything = fc.oneof(fc.jsonValue(), wild);
  fc.assert(fc.property(anything, (value) => void readMessage(encode(value))));
});
