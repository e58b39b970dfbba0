import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startOneProcess } from '../system/one-process.ts';
import type { System } from '../system/system.ts';

let system: System;
let base: string;
let token: string;

const json = { 'content-type': 'application/json' };
const asAdmin = () => ({ ...json, authorization: `Bearer ${token}` });
const post = (path: string, body: unknown, headers: Record<string, string> = asAdmin()) =>
  fetch(`${base}${path}`, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

const codeOf = async (answer: Response) => ((await answer.json()) as { code: string }).code;

beforeAll(async () => {
  system = await startOneProcess({ CORS_ORIGINS: 'https://app.example' });
  base = system.httpUrls[0] as string;
  const answer = await post('/api/auth', { username: 'admin', password: system.adminPassword }, json);
  token = ((await answer.json()) as { bearer: string }).bearer;
});
afterAll(() => system?.stop());

describe('the edge of HTTP', () => {
  test('an error names its code and the request', async () => {
    const answer = await fetch(`${base}/api/cameras/nope`, { headers: { ...asAdmin(), 'x-request-id': 'my-id.1' } });
    expect(answer.status).toBe(404);
    expect(answer.headers.get('x-request-id')).toBe('my-id.1');
    expect(await answer.json()).toEqual({
      success: false,
      error: 'Not found',
      code: 'NOT_FOUND',
      requestId: 'my-id.1',
    });
  });

  test('a request id that is none is replaced', async () => {
    const answer = await fetch(`${base}/api/version`, { headers: { 'x-request-id': 'no spaces "here"' } });
    expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
  });

  test.each([
    ['a body that is not JSON', '{', 400, 'INVALID_REQUEST'],
    ['a body that is no object', '[1]', 400, 'INVALID_REQUEST'],
    ['a key __proto__', '{"name":"x","source":"rtsp://a/b","__proto__":{"role":"admin"}}', 400, 'INVALID_REQUEST'],
    ['a key constructor deep inside', '{"name":{"a":[{"constructor":1}]}}', 400, 'INVALID_REQUEST'],
    ['a key that begins with $', '{"name":{"$gt":""}}', 400, 'INVALID_REQUEST'],
    ['a body of more than 1 MB', `{"name":"${'x'.repeat(1_100_000)}"}`, 413, 'PAYLOAD_TOO_LARGE'],
    ['a body as deep as it gets', `${'['.repeat(50_000)}${']'.repeat(50_000)}`, 400, 'INVALID_REQUEST'],
  ])('refuses %s', async (_what, body, status, code) => {
    const answer = await post('/api/cameras', body);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ success: false, code });
  });

  test('refuses what is not declared as JSON', async () => {
    const answer = await post('/api/cameras', '{}', { ...asAdmin(), 'content-type': 'text/plain' });
    expect([answer.status, await codeOf(answer)]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });

  test('says which methods a path knows', async () => {
    const answer = await fetch(`${base}/api/cameras`, { method: 'PATCH', headers: asAdmin() });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('GET, POST');
  });

  test.each([
    '/nope',
    '/api/nope',
    '/api/cameras/1/nope/x',
    '/api/cameras/1/nope',
    '/..%2f..%2fetc/passwd',
    '/api/docs/../../package.json',
  ])('%s is nothing', async (path) => {
    const answer = await fetch(`${base}${path}`, { headers: asAdmin() });
    expect([answer.status, await codeOf(answer)]).toEqual([404, 'NOT_FOUND']);
  });

  test('refuses a path that is not UTF-8', async () => {
    const answer = await fetch(`${base}/api/cameras/%ff`, { headers: asAdmin() });
    expect([answer.status, await codeOf(answer)]).toEqual([400, 'INVALID_REQUEST']);
  });

  test('a chunked body that grows over the bound is cut off with an answer', async () => {
    const raw = await exchange([
      `POST /api/cameras HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n`,
      'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      `${(1_200_000).toString(16)}\r\n${'x'.repeat(1_200_000)}\r\n0\r\n\r\n`,
    ]);
    expect(raw).toMatch(/^HTTP\/1\.1 413 /);
    expect(raw).toMatch(/connection: close/i);
  });

  test('an outdated token does not keep anybody from logging in', async () => {
    const answer = await post(
      '/api/auth',
      { username: 'admin', password: system.adminPassword },
      { ...json, authorization: 'Bearer outdated' },
    );
    expect(answer.status).toBe(201);
  });

  test('an unknown user and a wrong password are told alike', async () => {
    const answers = await Promise.all(
      ['admin', 'nobody'].map((username) => post('/api/auth', { username, password: 'wrong' }, json)),
    );
    const bodies = await Promise.all(answers.map((answer) => answer.json() as Promise<Record<string, unknown>>));
    expect(answers.map(({ status }) => status)).toEqual([401, 401]);
    expect({ ...bodies[0], requestId: '' }).toEqual({ ...bodies[1], requestId: '' });
  });

  test('HEAD is GET without the body', async () => {
    for (const path of ['/', '/api/version', '/live']) {
      const answer = await fetch(`${base}${path}`, { method: 'HEAD' });
      expect([path, answer.status, await answer.text()]).toEqual([path, 200, '']);
    }
  });

  test('a trailing slash means the same', async () => {
    expect((await fetch(`${base}/api/cameras/`, { headers: asAdmin() })).status).toBe(200);
  });
});

describe('browsers', () => {
  test('get security headers with every answer', async () => {
    for (const path of ['/', '/api/version', '/api/docs', '/api/docs/swagger-ui.css', '/api/cameras']) {
      const { headers } = await fetch(`${base}${path}`);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toContain("default-src 'self'");
    }
  });

  test('of an allowed origin may read answers, of another may not', async () => {
    const from = async (origin: string) =>
      (await fetch(`${base}/api/version`, { headers: { origin } })).headers.get('access-control-allow-origin');
    expect(await from('https://app.example')).toBe('https://app.example');
    expect(await from('https://evil.example')).toBeNull();
    const preflight = await fetch(`${base}/api/cameras`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(204);
  });
});

describe('what runs here', () => {
  test.each([
    ['/', 'text/html', 'Trigate'],
    ['/api/docs', 'text/html', 'swagger-ui'],
    ['/api/docs/swagger-ui-bundle.js', 'javascript', 'SwaggerUIBundle'],
    ['/api/openapi.json', 'application/json', '"openapi":"3.1'],
    ['/api/asyncapi.json', 'application/json', '"asyncapi":"3.0'],
    ['/.well-known/jwks.json', 'application/json', '"keys":[]'],
    ['/health', 'application/json', '"status":"ok"'],
    ['/metrics', 'text/plain', 'trigate_requests_total'],
  ])('%s is served', async (path, type, content) => {
    const answer = await fetch(`${base}${path}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toContain(type);
    expect(await answer.text()).toContain(content);
  });
});

describe('EMQX’s questions', () => {
  const ask = async (path: string, body: unknown, headers?: Record<string, string>) => {
    const answer = await post(path, body, headers ?? { ...json, 'x-api-key': system.apiKey });
    return { status: answer.status, ...((await answer.json()) as Record<string, unknown>) };
  };
  /** The id of a new user. */
  const person = async (username: string): Promise<string> => {
    const answer = await post('/api/users', { username, password: 's3cret-of-somebody', roles: ['user'] });
    return ((await answer.json()) as { id: string }).id;
  };
  let ann: string;
  beforeAll(async () => {
    ann = await person('ann');
  });

  test('are answered to an administrator’s key only', async () => {
    expect(await ask('/api/mqtt/auth', {}, json)).toMatchObject({ status: 401 });
    expect(await ask('/api/mqtt/auth', {}, { ...json, 'x-api-key': 'tg_wrong' })).toMatchObject({
      status: 401,
      code: 'INVALID_API_KEY',
    });
  });

  test('a bearer as password is let in with who it is, a bad one is not', async () => {
    const login = await ask('/api/mqtt/auth', { clientid: 'c', username: 'any', password: token });
    expect(login).toMatchObject({
      result: 'allow',
      is_superuser: false,
      client_attrs: { roles: 'admin user', version: '1' },
    });
    expect(await ask('/api/mqtt/auth', { username: 'any', password: 'bad' })).toMatchObject({ result: 'deny' });
  });

  test.each([
    ['publish', 'nestmtx/requests', '', 'allow'],
    ['publish', 'nestmtx/responses/1', 'ann', 'deny'],
    ['publish', 'nestmtx/events/camera/1/created', 'ann', 'deny'],
    ['subscribe', 'nestmtx/responses/1', '', 'allow'],
    ['subscribe', 'nestmtx/responses/+', 'ann', 'deny'],
    ['subscribe', 'nestmtx/requests', 'ann', 'deny'],
    ['subscribe', '#', 'ann', 'deny'],
    ['subscribe', 'nestmtx/events/camera/#', '', 'allow'],
    ['subscribe', 'nestmtx/events/users/#', 'ann', 'deny'],
    ['subscribe', 'nestmtx/events/presence/#', 'ann', 'allow'],
  ])('%s on %s by "%s": %s', async (action, topic, principal, result) => {
    const who = principal === 'ann' ? { principal: ann, roles: 'user' } : { principal: '', roles: '' };
    expect(await ask('/api/mqtt/acl', { action, topic, ...who })).toMatchObject({ result });
  });

  test('about a user whose roles are others than at its login are answered by those it has now', async () => {
    const id = await person('ben');
    const subscribe = async (domain: string, roles: string) => {
      const topic = `nestmtx/events/${domain}/#`;
      return (await ask('/api/mqtt/acl', { action: 'subscribe', topic, principal: id, roles })) as { result?: string };
    };
    expect(await subscribe('users', 'user')).toMatchObject({ result: 'deny' });
    const change = (method: string, body?: object) =>
      fetch(`${base}/api/users/${id}`, { method, headers: asAdmin(), ...(body && { body: JSON.stringify(body) }) });
    expect((await change('PUT', { roles: ['admin', 'user'] })).status).toBe(200);
    expect(await subscribe('users', 'user')).toMatchObject({ result: 'allow' });
    expect((await change('PUT', { roles: ['user'] })).status).toBe(200);
    expect(await subscribe('users', 'admin user')).toMatchObject({ result: 'deny' });
    expect(await subscribe('camera', 'user')).toMatchObject({ result: 'allow' });
    expect((await change('DELETE')).status).toBe(204);
    expect(await subscribe('camera', 'user')).toMatchObject({ result: 'deny' });
  });
});

/** Sends raw bytes and reads until the server closes. */
function exchange(parts: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base);
    const socket = connect(Number(port), hostname);
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('close', () => resolve(received));
    socket.on('error', (error) => (received ? resolve(received) : reject(error)));
    for (const part of parts) socket.write(part);
  });
}
