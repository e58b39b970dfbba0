import { describe, expect, test } from '@jest/globals';
import type { EventEnvelope, EventHearers } from '../../shared/fanout/bus.ts';
import { anonymous, type Principal } from '../../shared/runtime/principal.ts';
import type { AnonymousMode, MqttRules } from './mqtt-acl.rules.ts';
import { isGatewayTopic, mayHear, mayPublish, maySubscribe } from './mqtt-acl.rules.ts';

const user: Principal = { kind: 'user', id: 'u1', username: 'ann', email: null, roles: ['user'] };
const admin: Principal = { ...user, id: 'a1', roles: ['admin', 'user'] };
const key: Principal = { ...user, kind: 'key', id: 'k1' };
const rules: MqttRules = { base: 'nestmtx', anonymous: 'events' };
const checked: MqttRules = { ...rules, forwardChecked: true };

describe('mayPublish', () => {
  test.each([user, admin, key, anonymous])('lets $kind publish requests and nothing else', (principal) => {
    expect(mayPublish(principal, 'nestmtx/requests', rules)).toBe(true);
    for (const topic of [
      '/nestmtx/requests',
      'nestmtx/requests/x',
      'nestmtx/responses/r1',
      'nestmtx/failures',
      'nestmtx/events/camera/1/ready',
      '/nestmtx/stream/camera/ready',
      'other/requests',
      '$SYS/x',
      '',
    ]) {
      expect([topic, mayPublish(principal, topic, rules)]).toEqual([topic, false]);
    }
  });

  test('lets an anonymous client ask in the modes events and requests', () => {
    const may = (mode: AnonymousMode) => mayPublish(anonymous, 'nestmtx/requests', { ...rules, anonymous: mode });
    expect([may('events'), may('requests'), may('off')]).toEqual([true, true, false]);
    expect(mayPublish(user, 'nestmtx/requests', { ...rules, anonymous: 'off' })).toBe(true);
  });
});

describe('maySubscribe', () => {
  test('grants the exact topic of one answer, and failures', () => {
    for (const principal of [user, admin, anonymous]) {
      expect(maySubscribe(principal, 'nestmtx/responses/r 1', rules)).toBe(true);
      expect(maySubscribe(principal, 'nestmtx/failures', rules)).toBe(true);
    }
  });

  test.each([
    '#',
    '+',
    '/#',
    '+/#',
    '+/+/+',
    '+/responses/r1',
    'nestmtx/#',
    'nestmtx/+',
    'nestmtx/+/r1',
    'nestmtx/responses',
    'nestmtx/responses/',
    'nestmtx/responses/+',
    'nestmtx/responses/#',
    'nestmtx/responses/r1/#',
    'nestmtx/responses/a/b',
    'nestmtx/requests',
    'nestmtx/requests/#',
    '$share/g/nestmtx/requests',
    '$share/g/nestmtx/responses/r1',
    '$SYS/#',
    '/nestmtx/responses/r1',
    'nestmtx/events',
    'nestmtxx/events/camera/#',
    'nestmtx/events/camera/#/ready',
    'nestmtx/events/cam+/1/ready',
    'nestmtx/events/camera/\u0000',
    `nestmtx/events/camera/${'x'.repeat(2_000)}`,
    `nestmtx/events/camera${'/+'.repeat(40)}`,
    '',
  ])('refuses %j to everybody, an administrator too', (filter) => {
    for (const principal of [user, admin, key, anonymous]) {
      expect(maySubscribe(principal, filter, checked)).toBe(false);
    }
  });

  const table: [filter: string, anonymous: boolean, user: boolean, admin: boolean, userChecked: boolean][] = [
    ['/nestmtx/events/camera/+/ready', true, true, true, true],
    ['nestmtx/events/camera/7/#', true, true, true, true],
    ['/nestmtx/stream/credentials/authenticated', true, true, true, true],
    ['nestmtx/stream/credentials/+', true, true, true, true],
    ['nestmtx/events/presence/#', false, true, true, true],
    ['nestmtx/stream/streams/started', false, true, true, true],
    ['nestmtx/events/rooms/#', false, false, true, true],
    ['nestmtx/events/users/#', false, false, true, false],
    ['/nestmtx/events/users/u1/updated', false, false, true, false],
    ['nestmtx/events/#', false, false, true, true],
    ['/nestmtx/events/+/+/created', false, false, true, true],
    ['nestmtx/events/unheard/#', false, false, true, false],
  ];

  test.each(table)('%s: anonymous %p, user %p, administrator %p, user where forwards are checked %p', (...row) => {
    const [filter, ...expected] = row;
    expect([
      maySubscribe(anonymous, filter, rules),
      maySubscribe(user, filter, rules),
      maySubscribe(admin, filter, rules),
      maySubscribe(user, filter, checked),
    ]).toEqual(expected);
  });

  test('lets anonymous clients hear events in the mode events alone', () => {
    const may = (mode: AnonymousMode, filter: string) => maySubscribe(anonymous, filter, { ...rules, anonymous: mode });
    const filter = 'nestmtx/events/camera/#';
    expect([may('events', filter), may('requests', filter), may('off', filter)]).toEqual([true, false, false]);
    expect([may('requests', 'nestmtx/responses/r1'), may('off', 'nestmtx/responses/r1')]).toEqual([true, false]);
  });

  test('keeps a base with several levels apart', () => {
    const deep: MqttRules = { base: 'site/a', anonymous: 'events' };
    expect(maySubscribe(user, '/site/a/events/camera/#', deep)).toBe(true);
    expect(maySubscribe(user, 'site/b/events/camera/#', deep)).toBe(false);
    expect(maySubscribe(user, 'site/+/events/camera/#', deep)).toBe(false);
  });
});

describe('mayHear', () => {
  const about = (domain: string, hearers: EventHearers): EventEnvelope => ({
    id: 'e1',
    hearers,
    body: { domain, event: 'created', entity: '1', details: {}, at: '2026-01-01T00:00:00.000Z' },
  });
  const named: EventHearers = { kind: 'named', users: ['u1'] };

  test('keeps an event from whom it is not for', () => {
    const cases = [about('camera', { kind: 'users' }), about('users', { kind: 'admins' }), about('rooms', named)];
    const heard = (principal: Principal) => cases.map((envelope) => mayHear(principal, envelope, 'events'));
    expect(heard(admin)).toEqual([true, true, true]);
    expect(heard(user)).toEqual([true, false, true]);
    expect(heard({ ...user, id: 'u2' })).toEqual([true, false, false]);
    expect(heard(anonymous)).toEqual([true, false, false]);
  });

  test('lets anonymous clients hear the domains of seed 001 and no other', () => {
    expect(mayHear(anonymous, about('credentials', { kind: 'users' }), 'events')).toBe(true);
    expect(mayHear(anonymous, about('presence', { kind: 'users' }), 'events')).toBe(false);
    expect(mayHear(anonymous, about('camera', { kind: 'users' }), 'requests')).toBe(false);
    expect(mayHear(anonymous, about('camera', { kind: 'named', users: [''] }), 'events')).toBe(false);
  });
});

test('isGatewayTopic knows every topic that only gateways publish on, with and without the slash', () => {
  for (const topic of ['nestmtx/responses/r', '/nestmtx/events/camera/1/x', 'nestmtx/stream', 'nestmtx/requests']) {
    expect(isGatewayTopic(topic, 'nestmtx')).toBe(true);
  }
  for (const topic of ['nestmtx/replies/r', 'responses/r', 'nestmtx/responsesx', 'nestmtx2/events/x']) {
    expect(isGatewayTopic(topic, 'nestmtx')).toBe(false);
  }
});
