import { randomBytes } from 'node:crypto';

/** Offers and answers of WebRTC (RFC 8829) as far as a WHEP exchange checks them. Pure, but for its random parts. */

const codecs: Record<string, readonly string[]> = {
  video: ['96 H264/90000', '97 VP8/90000'],
  audio: ['111 opus/48000/2', '0 PCMU/8000', '8 PCMA/8000'],
};
const parameters: Record<string, string> = {
  96: 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f',
  111: 'minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1',
};

const word = (length: number): string =>
  randomBytes(length).toString('base64url').replace(/[-_]/g, 'x').slice(0, length);

function media(kind: string, mid: number, ice: readonly string[], candidates: readonly string[]): string[] {
  const lines = codecs[kind] ?? [];
  const types = lines.map((line) => line.split(' ')[0] ?? '');
  return [
    `m=${kind} 9 UDP/TLS/RTP/SAVPF ${types.join(' ')}`,
    'c=IN IP4 0.0.0.0',
    'a=setup:actpass',
    `a=mid:${mid}`,
    ...ice,
    'a=rtcp-mux',
    'a=rtcp-rsize',
    ...lines.map((line) => `a=rtpmap:${line}`),
    ...types.filter((type) => parameters[type]).map((type) => `a=fmtp:${type} ${parameters[type]}`),
    'a=recvonly',
    ...candidates,
  ];
}

export interface Offer {
  sdp: string;
  /** What a PATCH tells of the candidates where the offer has none (RFC 8840). */
  fragment: string;
}

/**
 * An offer to receive, in the real server's order: video, then audio, and no data channel. Candidates are in its first
 * media where `full`. Nobody listens at them.
 */
export function createOffer(full: boolean): Offer {
  const name = word(16);
  const ice = [`a=ice-ufrag:${name}`, `a=ice-pwd:${word(32)}`];
  const port = 40_000 + (randomBytes(2).readUInt16BE() % 20_000);
  const candidate = `a=candidate:1 1 udp 2130706431 127.0.0.1 ${port} typ host ufrag ${name}`;
  const fingerprint = randomBytes(32).toString('hex').toUpperCase().match(/../g)?.join(':');
  const lines = [
    'v=0',
    `o=- ${randomBytes(6).readUIntBE(0, 6)} ${Math.floor(Date.now() / 1000)} IN IP4 0.0.0.0`,
    's=-',
    't=0 0',
    'a=msid-semantic:WMS *',
    `a=fingerprint:sha-256 ${fingerprint}`,
    'a=extmap-allow-mixed',
    'a=group:BUNDLE 0 1',
    ...media('video', 0, ice, full ? [candidate, 'a=end-of-candidates'] : []),
    ...media('audio', 1, ice, []),
  ];
  const fragment = [...ice, 'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=mid:0', ...ice, candidate];
  return { sdp: `${lines.join('\r\n')}\r\n`, fragment: `${fragment.join('\r\n')}\r\n` };
}

const kindsOf = (sdp: string): string[] => [...sdp.matchAll(/^m=(\w+) /gm)].map(([, kind]) => kind ?? '');

/** Whether an answer fits an offer. @throws Error what does not */
export function checkAnswer(offer: string, answer: string): void {
  if (!answer.startsWith('v=0')) throw new Error('the answer is no session description');
  const [offered, answered] = [kindsOf(offer), kindsOf(answer)];
  for (const kind of answered) {
    if (kind !== 'video' && kind !== 'audio') throw new Error(`unsupported media '${kind}'`);
  }
  if (answered.join() !== offered.join())
    throw new Error(`the answer has ${answered.join(', ')}, not ${offered.join(', ')}`);
  const mids = (sdp: string) => [...sdp.matchAll(/^a=mid:(\S+)/gm)].map(([, mid]) => mid).join();
  if (mids(answer) !== mids(offer)) throw new Error('the mids of the answer are not those of the offer');
  const needed: [string, RegExp][] = [
    ['fingerprint', /^a=fingerprint:sha-\d+ [0-9A-F]{2}(:[0-9A-F]{2})+\s*$/im],
    ['ice-ufrag', /^a=ice-ufrag:\S{4,}/m],
    ['ice-pwd', /^a=ice-pwd:\S{22,}/m],
    ['setup', /^a=setup:(active|passive)/m],
    ['candidate', /^a=candidate:\S+ [12] (udp|tcp) \d+ \S+ \d+ typ /im],
    ['media that is sent', /^a=(sendonly|sendrecv)/m],
  ];
  for (const [name, pattern] of needed) if (!pattern.test(answer)) throw new Error(`the answer has no ${name}`);
}
