import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { Failure } from '../../shared/contracts/index.ts';
import { securityHeaders } from './reply.ts';

const template = readFileSync(new URL('./pages/result.html', import.meta.url), 'utf8');

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] as string);

/** The result of a command for a person who came by a link. */
export function writePage(
  response: ServerResponse,
  status: number,
  requestId: string,
  page: { title: string; text: string },
): void {
  const html = template.replace(/\{\{(title|text)\}\}/g, (_, key: 'title' | 'text') => escaped(page[key]));
  const length = String(Buffer.byteLength(html));
  const head = ['content-type', 'text/html; charset=utf-8', 'cache-control', 'no-store', 'content-length', length];
  response.writeHead(status, [...securityHeaders, 'x-request-id', requestId, ...head]).end(html);
}

export function writeFailurePage(response: ServerResponse, requestId: string, failure: Failure): void {
  if (response.headersSent) response.destroy();
  else writePage(response, failure.code, requestId, { title: 'That did not work', text: `${failure.message}.` });
}
