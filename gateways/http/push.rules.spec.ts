import { describe, expect, test } from '@jest/globals';
import { reservedEvents } from '../../shared/contracts/push.contract.ts';
import { assertEventName, bridgeAudiences, dated } from './push.rules.ts';

const room = (name: string) => ({ kind: 'room', name });
const role = (name: string) => ({ kind: 'role', role: name });
const user = (id: string) => ({ kind: 'user', id });
const refused = expect.objectContaining({ type: 'INVALID_REQUEST' });

describe('what is posted to the bridge', () => {
  test('is for everyone where nobody is named', () => {
    for (const payload of [{ id: 1 }, 'text', null, [1], { deep: { own: 'ann' } }]) {
      expect(bridgeAudiences(payload, undefined)).toEqual([{ kind: 'everyone' }]);
    }
  });

  test('is for the rooms that are named, each once', () => {
    expect(bridgeAudiences({}, ['kitchen', 'hall', 'kitchen'])).toEqual([room('kitchen'), room('hall')]);
  });

  test('is for the room and for the holders where a role is named', () => {
    expect(bridgeAudiences({}, ['admin'])).toEqual([room('admin'), role('admin')]);
    expect(bridgeAudiences({}, ['Admin', 'constructor'])).toEqual([room('Admin'), room('constructor')]);
  });

  test('is for the user it is owned by, beside the rooms', () => {
    expect(bridgeAudiences({ own: 'ann' }, undefined)).toEqual([user('ann')]);
    expect(bridgeAudiences({ own: 123 }, [])).toEqual([user('123')]);
    expect(bridgeAudiences({ own: 'ann' }, ['kitchen'])).toEqual([room('kitchen'), user('ann')]);
  });

  test.each([[null], [''], [{}], [true], [1.5], ['x'.repeat(257)]])('cannot be owned by %j', (own) => {
    expect(() => bridgeAudiences({ own }, undefined)).toThrow(refused);
    expect(() => bridgeAudiences({ own }, ['kitchen'])).toThrow(refused);
  });

  test('is not for everyone where the rooms are none', () => {
    expect(() => bridgeAudiences({}, [])).toThrow(refused);
  });
});

describe('what is pushed', () => {
  const now = '2026-01-01T00:00:00.000Z';
  const said = { title: 'Soup', message: 'is ready', type: 'info' };

  test('as system:notification has a time, its own or that of now', () => {
    expect(dated('system:notification', said, now)).toEqual({ ...said, timestamp: now });
    expect(dated('system:notification', { ...said, timestamp: 'then' }, now)).toEqual({ ...said, timestamp: 'then' });
  });

  test.each([
    ['notification', said],
    ['system:notification', 'text'],
    ['system:notification', null],
    ['system:notification', [1]],
  ])('as %s %j stays as it is', (event, data) => expect(dated(event, data, now)).toBe(data));
});

describe('the name of an event', () => {
  test.each(['collection:update', 'db-change', 'a b', 'é', 'connected', 'errors', '__proto__', 'x'.repeat(256)])(
    'may be %j',
    (name) => expect(() => assertEventName(name)).not.toThrow(),
  );

  test.each([...reservedEvents, '', 'x'.repeat(257), 'a\nb', '\u0000'])('cannot be %j', (name) => {
    expect(() => assertEventName(name)).toThrow(refused);
  });
});
