import { describe, expect, test } from '@jest/globals';
import { type HookContext, hookCommand, hookEvents, hookMarker, readHook } from './hooks.rules.ts';

const context: HookContext = {
  callback: 'http://gateway:3000/',
  installation: 'one',
  server: 'a1b2',
  secret: 'sesame',
  program: 'wget',
};
/** The URL of a command as MediaMTX would call it. */
const called = (command: string, variables: Record<string, string> = {}): URL => {
  const [, url] = /'(http[^']*)'$/.exec(command) ?? [];
  return new URL((url as string).replace(/\$([A-Z_]+)/g, (_all, name: string) => variables[name] ?? ''));
};

describe('hooks of media servers', () => {
  test('a hook is a POST to its event and says what happened to which path on which server', () => {
    const command = hookCommand(context, 'read', 'front-door');
    expect(command).toMatch(
      /^wget -q -T 5 -O \/dev\/null '--post-data=' 'http|^wget -q -T 5 -O \/dev\/null --post-data= 'http/,
    );
    const url = called(command, {
      MTX_QUERY: encodeURIComponent('token=a&b=c d'),
      MTX_READER_TYPE: 'rtspSession',
      MTX_READER_ID: '7',
    });
    expect(url.pathname).toBe('/api/media/hooks/read');
    expect(readHook('read', url.searchParams, 'sesame')).toEqual({
      event: 'read',
      server: 'a1b2',
      path: 'front-door',
      isFree: false,
      query: 'token=a&b=c d',
      sourceType: '',
      sourceId: '',
      readerType: 'rtspSession',
      readerId: '7',
    });
  });

  test('a hook of the path of free names says which name it was', () => {
    const url = called(hookCommand(context, 'demand', 'all_others'), { MTX_PATH: 'yard/gone-1' });
    expect(readHook('demand', url.searchParams, 'sesame')).toMatchObject({ path: 'yard/gone-1', isFree: true });
    // The name alone makes no such hook.
    const { searchParams } = called(hookCommand(context, 'demand', 'door'));
    searchParams.set('name', 'yard');
    expect(readHook('demand', searchParams, 'sesame')).toMatchObject({ path: 'door', isFree: false });
  });

  test.each(['server', 'path', 'signature'])('a hook whose %s was changed is not believed', (name) => {
    const { searchParams } = called(hookCommand(context, 'demand', 'door'));
    expect(readHook('demand', searchParams, 'sesame')).not.toBeNull();
    const value = searchParams.get(name) as string;
    searchParams.set(name, value.startsWith('a') ? `b${value.slice(1)}` : `a${value.slice(1)}`);
    expect(readHook('demand', searchParams, 'sesame')).toBeNull();
  });

  test('a hook of one event is not believed as another, nor signed with another secret', () => {
    const { searchParams } = called(hookCommand(context, 'demand', 'door'));
    for (const event of hookEvents.filter((name) => name !== 'demand')) {
      expect(readHook(event, searchParams, 'sesame')).toBeNull();
    }
    expect(readHook('demand', searchParams, 'other')).toBeNull();
    expect(readHook('constructor', searchParams, 'sesame')).toBeNull();
  });

  test('what is unusual in a value stays within the argument', () => {
    const odd = { ...context, callback: "http://gateway/it's", program: { node: '/opt/my node', script: "/a'b.ts" } };
    const command = hookCommand(odd, 'demand', 'door');
    expect(command.startsWith(`'/opt/my node' '/a'\\''b.ts' 'http://gateway/it'\\''s/api/media`)).toBe(true);
  });

  test('no part of the command but the variables is replaced by the media server', () => {
    const command = hookCommand({ ...context, callback: 'http://gateway/$HOME' }, 'demand', 'door');
    expect(command.match(/\$[A-Z_]+/g)).toEqual(['$MTX_QUERY']);
  });

  test('every hook carries the mark of its installation, and an installation whose id begins the same has another', () => {
    for (const event of hookEvents) {
      const command = hookCommand(context, event, 'door');
      expect(command).toContain(hookMarker('one'));
      expect(command).not.toContain(hookMarker('on'));
    }
  });

  test('curl is asked to post too', () => {
    expect(hookCommand({ ...context, program: 'curl' }, 'demand', 'door')).toMatch(/^curl -sS .* -X POST .*'http/);
  });
});
