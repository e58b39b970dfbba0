import { randomBytes } from 'node:crypto';
import { GoogleError } from './http.ts';

const wanted = ['audio', 'video', 'application'];

/** What Google checks of a WebRTC offer. @throws GoogleError */
export function checkOffer(offer: unknown): string {
  if (typeof offer !== 'string' || offer === '') {
    throw new GoogleError(400, 'INVALID_ARGUMENT', 'offerSdp value must be set.');
  }
  const invalid = (why: string) => new GoogleError(400, 'INVALID_ARGUMENT', `Invalid offer SDP: ${why}`);
  if (!offer.startsWith('v=0')) throw invalid('no session description');
  if (!offer.endsWith('\n')) throw invalid('the last line has no end');
  const media = [...offer.matchAll(/^m=(\w+) /gm)].map(([, kind]) => kind);
  if (media.join() !== wanted.join()) throw invalid(`m-lines ${media.join(', ')}`);
  const candidates = [...offer.matchAll(/^a=candidate:\S+ \d+ \S+ \d+ (\S+) \d+ typ host/gm)].map(([, host]) => host);
  if (!candidates.some((host) => host && !host.endsWith('.local'))) {
    throw new GoogleError(500, 'INTERNAL', 'Internal error encountered.');
  }
  return offer;
}

/** An answer that fits the offer line by line; nobody is behind it. */
export function emptyAnswer(offer: string): string {
  const fingerprint = [...randomBytes(32)].map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(':');
  const session = [
    'v=0',
    `o=- ${Date.now()} 2 IN IP4 127.0.0.1`,
    's=-',
    't=0 0',
    ...(offer.match(/^a=group:BUNDLE .*$/m) ?? []),
    'a=ice-lite',
  ].map((line) => line.trim());
  const sections = offer.split(/^(?=m=)/m).slice(1);
  const media = sections.flatMap((section) => [
    ...(section.match(/^m=.*$/m) ?? []),
    'c=IN IP4 127.0.0.1',
    ...(section.match(/^a=mid:.*$/m) ?? []),
    'a=ice-ufrag:Goog',
    `a=ice-pwd:${randomBytes(16).toString('hex')}`,
    `a=fingerprint:sha-256 ${fingerprint}`,
    'a=setup:passive',
    ...(section.startsWith('m=application')
      ? (section.match(/^a=sctp-port:.*$/m) ?? [])
      : ['a=sendonly', 'a=rtcp-mux', ...(section.match(/^a=(rtpmap|fmtp):.*$/gm) ?? [])]),
    'a=candidate:1 1 udp 2113939711 127.0.0.1 9 typ host',
  ]);
  return `${[...session, ...media.map((line) => line.trim())].join('\r\n')}\r\n`;
}
