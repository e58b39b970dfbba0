import { createHash, createHmac, randomUUID } from 'node:crypto';

export interface Signing {
  method?: string;
  path: string;
  timestamp?: string | number;
  nonce?: string;
  version?: 'v1' | 'v2';
  body?: string;
}

/** The headers of a signed request, as seed 003 computes them: written anew here, as a client would. */
export function signed(apiKey: string, signing: Signing): Record<string, string> {
  const { method = 'GET', path, timestamp = Date.now(), nonce = randomUUID(), version = 'v1', body = '' } = signing;
  const hash = version === 'v2' ? `\n${createHash('sha256').update(body).digest('hex')}` : '';
  const text = `${method}${path}${timestamp}${nonce}${hash}`;
  return {
    'x-api-key': apiKey,
    'x-request-timestamp': String(timestamp),
    'x-request-nonce': nonce,
    'x-signature-version': version,
    'x-signature': createHmac('sha256', apiKey).update(text).digest('hex'),
  };
}
