import { describe, expect, test } from '@jest/globals';
import { answeredHeaders, bridgeHeaders, forwardedHeaders } from './http.driver.rules.ts';

describe('the credential of the driver', () => {
  const key = { 'x-api-key': 'tg_key' };

  test('goes with an event that brings none, as a key or as a bearer', () => {
    expect(bridgeHeaders('POST', '/collection:update', {}, 'tg_key')).toEqual(key);
    expect(bridgeHeaders('POST', '/db-change?x=1', {}, 'tg_key')).toEqual(key);
    expect(bridgeHeaders('POST', '/db-change', {}, 'eyJh.eyJz.c2ln')).toEqual({
      authorization: 'Bearer eyJh.eyJz.c2ln',
    });
  });

  test.each([
    ['another method', 'GET', '/db-change', {}],
    ['a command', 'POST', '/api/users', {}],
    ['a path below', 'POST', '/a/b', {}],
    ['no path', 'POST', '/', {}],
    ['a handshake', 'POST', '/socket.io/?EIO=4', {}],
    ['a handshake without its slash', 'POST', '/socket.io?EIO=4', {}],
    ['a bearer of its own', 'POST', '/db-change', { authorization: 'Bearer x' }],
    ['a key of its own', 'POST', '/db-change', { 'x-api-key': 'x' }],
    ['a page in a browser', 'POST', '/db-change', { origin: 'https://evil.example' }],
    ['a page that empties its own', 'POST', '/db-change', { origin: 'https://evil.example', authorization: '' }],
    ['a page with an empty key', 'POST', '/db-change', { 'sec-fetch-site': 'same-origin', 'x-api-key': '' }],
    ['a page without an origin', 'POST', '/db-change', { 'sec-fetch-site': 'cross-site' }],
  ])('does not go with %s', (_what, method, url, headers) => {
    expect(bridgeHeaders(method, url, headers, 'tg_key')).toEqual({});
  });
});

describe('what is sent on', () => {
  const target = new URL('https://trigate.example:8443');

  test('leaves out what belongs to the connection, named ones too, and says for whom', () => {
    const headers = {
      host: 'localhost:4000',
      connection: 'close, X-Mine',
      'x-mine': '1',
      te: 'trailers',
      accept: '*/*',
    };
    expect(forwardedHeaders(headers, target, '10.0.0.9')).toEqual({
      host: 'trigate.example:8443',
      accept: '*/*',
      'x-forwarded-for': '10.0.0.9',
    });
    expect(forwardedHeaders({ 'x-forwarded-for': '1.2.3.4' }, target, '::1')['x-forwarded-for']).toBe('1.2.3.4, ::1');
  });

  test('keeps a body of unknown length framed', () => {
    expect(forwardedHeaders({ 'transfer-encoding': 'chunked' }, target, '::1')['transfer-encoding']).toBe('chunked');
  });

  test('makes a page of the same origin one of Trigate, and leaves any other what it is', () => {
    const origin = (value: string) => forwardedHeaders({ origin: value, host: 'localhost:4000' }, target, '::1').origin;
    expect(origin('http://localhost:4000')).toBe('https://trigate.example:8443');
    expect(origin('http://localhost:5173')).toBe('http://localhost:5173');
    expect(origin('null')).toBe('null');
  });

  test('of an answer keeps all but the connection', () => {
    const headers = { connection: 'keep-alive', 'keep-alive': 'timeout=5', 'set-cookie': ['a', 'b'], etag: 'x' };
    expect(answeredHeaders(headers)).toEqual({ 'set-cookie': ['a', 'b'], etag: 'x' });
  });
});
