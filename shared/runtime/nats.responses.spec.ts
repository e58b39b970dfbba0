import { expect, test } from '@jest/globals';
import { JsonText } from './json-text.ts';
import { decodeResponse, encodeResponse } from './nats.responses.ts';

const value = () => false;
const text = () => true;
const answer = { id: 'a', success: true, ver: '5', sender: 'service', data: { name: 'Tür\n"1"', items: [1, null] } };

test('an answer comes back as the value it was', () => {
  expect(decodeResponse(encodeResponse(answer), value)).toEqual(answer);
});

test('who wants the text gets the bytes of the result alone', () => {
  const { data, ...head } = decodeResponse(encodeResponse(answer), text);
  expect(head).toEqual({ id: 'a', success: true, ver: '5', sender: 'service' });
  expect(data).toBeInstanceOf(JsonText);
  expect((data as JsonText).bytes.toString('utf8')).toBe(JSON.stringify(answer.data));
});

test('the text is asked for by the id of the answer', () => {
  const asked: string[] = [];
  decodeResponse(encodeResponse(answer), (id) => asked.push(id) > 1);
  expect(asked).toEqual(['a']);
});

test.each([null, '', 0, false, 'null'])('%j comes back', (data) => {
  expect(decodeResponse(encodeResponse({ ...answer, data }), value).data).toBe(data);
});

test('null stays null for who wants the text, so that nothing is not mistaken for a result', () => {
  expect(decodeResponse(encodeResponse({ ...answer, data: null }), text).data).toBeNull();
});

test('an answer without a result has none', () => {
  const { data: _data, ...without } = answer;
  expect(decodeResponse(encodeResponse(without), text)).toEqual(without);
});

test('an error comes back, and no meta of the request with it', () => {
  const failed = { id: 'a', success: false, ver: '5', sender: 'service', error: { type: 'NOT_FOUND', code: 404 } };
  const packet = { ...failed, meta: { principal: { id: 'u' } }, headers: {} };
  expect(decodeResponse(encodeResponse(packet), text)).toEqual(failed);
});

test('what is no answer is refused', () => {
  expect(() => decodeResponse(Buffer.from('{"id":"a"'), value)).toThrow(SyntaxError);
  expect(() => decodeResponse(Buffer.from('{"id":"a"}\n{'), value)).toThrow(SyntaxError);
});

test('a text inside another value stands for what it says', () => {
  const inner = new JsonText(Buffer.from('{"a":"ü"}'));
  expect(JSON.stringify({ inner })).toBe('{"inner":{"a":"ü"}}');
});
