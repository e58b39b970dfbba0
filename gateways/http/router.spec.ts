import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { action, service } from '../../shared/contracts/kernel.ts';
import { createRouter } from './router.ts';

const plain = { summary: 's', access: 'user', result: z.object({}) } as const;
const contract = service({
  service: 'things',
  modules: {
    things: {
      summary: 'Things',
      actions: {
        list: action(plain),
        read: action({ ...plain, entity: 'required', longEntity: true }),
        polish: action({ ...plain, entity: 'required' }),
        sweep: action({ ...plain, http: { method: 'POST', path: '/api/things/sweep' } }),
        arrive: action({ ...plain, access: 'anyone', http: { method: 'GET', path: '/things/arrive', page: true } }),
      },
    },
  },
});
const router = createRouter([contract]);
const found = (method: string, path: string) => {
  const answer = router.find(method, path);
  if (answer === null || 'allow' in answer) return answer;
  return [answer.route.command, answer.entity];
};

describe('an address of its own', () => {
  test('is found as it stands', () => {
    expect(found('POST', '/api/things/sweep')).toEqual(['sweep', undefined]);
    expect(found('GET', '/things/arrive')).toEqual(['arrive', undefined]);
  });

  test('keeps no other request from its place', () => {
    expect(found('GET', '/api/things/sweep')).toEqual(['read', 'sweep']);
    expect(found('POST', '/api/things/a/polish')).toEqual(['polish', 'a']);
    expect(found('GET', '/things/leave')).toBeNull();
  });

  test('is not used by what only looks ahead', () => {
    expect(found('HEAD', '/things/arrive')).toBeNull();
    expect(found('HEAD', '/api/things')).toEqual(['list', undefined]);
  });
});

describe('a long entity', () => {
  test.each([
    ['a/b', 'a/b'],
    ['a//b+c/d==', 'a//b+c/d=='],
    ['a/b/', 'a/b'],
    ['a%2Fb', 'a/b'],
    ['/a', '/a'],
  ])('is all of %s', (rest, entity) => {
    expect(found('GET', `/api/things/${rest}`)).toEqual(['read', entity]);
  });

  test('is one of the command that takes it only', () => {
    expect(() => found('DELETE', '/api/things/a/b')).toThrow(expect.objectContaining({ type: 'NOT_FOUND' }));
    expect(found('PUT', '/api/things/a')).toEqual({ allow: 'GET' });
    expect(found('GET', '/api/others/a/b')).toBeNull();
    expect(found('GET', `/api/things/a/${'b'.repeat(9_000)}`)).toBeNull();
  });
});
