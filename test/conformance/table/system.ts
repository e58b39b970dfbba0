import { expect } from '@jest/globals';
import { bad, type Case, good, story } from '../case.ts';

/** Open to anyone; Socket.IO lets nobody in without a token, whatever they mean to ask. */
const open = ['health.list', 'version.list', 'swagger.list'] as const;

const internal = [
  'users.authenticate',
  'users.account',
  'users.revoke',
  'auth.session',
  'api-keys.verify',
  'cameras.disown',
];

export const systemCases: Case[] = [
  ...open.map((command) =>
    story(`${command} asks nobody who they are`, async (stage) => {
      const [module, name] = command.split('.') as [string, string];
      const refused = stage.protocol === 'socketio' ? 'UNAUTHORIZED' : 'OK';
      expect(await stage.code({ module, command: name }, 'nobody')).toBe(refused);
    }),
  ),
  good(
    'health.list',
    'says what is there',
    'user',
    () => ({}),
    (result) => {
      const details = result.details as Record<string, { healthy: boolean }>;
      expect(result.healthy).toBe('healthy');
      expect(Object.keys(details).sort()).toEqual(
        ['app', 'auth', 'cameras', 'credentials', 'presence', 'rooms', 'streams', 'users'].sort(),
      );
      expect(Object.values(details).every(({ healthy }) => healthy)).toBe(true);
    },
  ),
  good(
    'version.list',
    'says what runs',
    'user',
    () => ({}),
    (result) => {
      expect(result).toEqual({
        release: expect.stringMatching(/^\d+\.\d+\.\d+/),
        commit: expect.any(String),
        platform: expect.any(String),
        node: expect.stringMatching(/^v\d+/),
      });
    },
  ),
  good(
    'swagger.list',
    'is the OpenAPI document',
    'user',
    () => ({}),
    (result) => {
      expect(result.openapi).toMatch(/^3\.1/);
      expect(result.paths).toHaveProperty('/api/cameras');
    },
  ),
  ...internal.map((command) =>
    bad(command, 'from outside', 'NOT_FOUND', 'admin', () => ({
      entity: 'someone',
      payload: { username: 'admin', password: 'x' },
    })),
  ),
  bad('nothing.list', 'is no module', 'NOT_FOUND', 'admin', () => ({})),
  bad('toString.list', 'is no module', 'NOT_FOUND', 'admin', () => ({})),
  bad('cameras.explode', 'is no command', 'NOT_FOUND', 'admin', () => ({ entity: 'some' })),
  bad('cameras.constructor', 'is no command', 'NOT_FOUND', 'admin', () => ({ entity: 'some' })),
];
