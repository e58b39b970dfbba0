/**
 * Google wants offers with exactly the m-lines audio, video, application, in this order (Device Access, CameraLiveStream
 * trait). A media server offers video and audio. So its sections are put in order and a data channel is added that
 * nobody uses; the answer is brought back into the order that was offered, without it.
 */

const lineEnd = /\r\n|\n|\r/;

interface Sections {
  /** Lines before the first m-line. */
  session: string[];
  /** Each begins with its m-line. */
  media: string[][];
}

export class SdpError extends Error {
  override readonly name = 'SdpError';
}

/** @throws SdpError where it is not an offer of one video and one audio section */
export function offerForGoogle(offer: string): string {
  const { session, media } = split(offer);
  const audio = only(media, 'audio');
  const video = only(media, 'video');
  if (media.length !== 2) throw new SdpError('an offer of one video and one audio section is expected');
  const mid = unusedMid(media);
  const application = [
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    ...transport(audio),
    `a=mid:${mid}`,
    'a=sctp-port:5000',
    'a=max-message-size:262144',
  ];
  const bundle = `a=group:BUNDLE ${midOf(audio)} ${midOf(video)} ${mid}`;
  const rest = session.filter((line) => !line.startsWith('a=group:BUNDLE'));
  return join([...rest, bundle], [withCandidates(audio, media), video, application]);
}

/** @throws SdpError where the answer lacks a section of the offer */
export function answerForServer(answer: string, offer: string): string {
  const { session, media } = split(answer);
  const order = split(offer).media.map(kindOf);
  const sections = order.map((kind) => only(media, kind));
  const mids = sections.map(midOf).join(' ');
  const lines = session.map((line) => (line.startsWith('a=group:BUNDLE') ? `a=group:BUNDLE ${mids}` : line));
  const [first, ...others] = sections;
  if (!first) throw new SdpError('the offer has no sections');
  // With BUNDLE an answer may carry its candidates in whichever section it has first.
  return join(lines, [withCandidates(first, media), ...others]);
}

function split(sdp: string): Sections {
  const lines = sdp.split(lineEnd).filter((line) => line !== '');
  const sections: Sections = { session: [], media: [] };
  for (const line of lines) {
    if (line.startsWith('m=')) sections.media.push([line]);
    else (sections.media.at(-1) ?? sections.session).push(line);
  }
  if (!lines[0]?.startsWith('v=')) throw new SdpError('this is no SDP');
  return sections;
}

/** Google wants a line end after the last line too. */
const join = (session: string[], media: string[][]): string => `${[...session, ...media.flat()].join('\r\n')}\r\n`;

const kindOf = (section: string[]): string => /^m=(\w+)/.exec(section[0] ?? '')?.[1] ?? '';

function only(media: string[][], kind: string): string[] {
  const found = media.filter((section) => kindOf(section) === kind);
  if (found.length !== 1) throw new SdpError(`one ${kind} section is expected`);
  return found[0] as string[];
}

function midOf(section: string[]): string {
  const mid = section.find((line) => line.startsWith('a=mid:'))?.slice('a=mid:'.length);
  if (mid === undefined) throw new SdpError('a section has no mid');
  return mid;
}

function unusedMid(media: string[][]): string {
  const used = new Set(media.map(midOf));
  let mid = media.length;
  while (used.has(String(mid))) mid += 1;
  return String(mid);
}

/** What sections of one bundle share. */
const transport = (section: string[]): string[] =>
  section.filter((line) => /^a=(ice-ufrag|ice-pwd|ice-options|fingerprint|setup):/.test(line));

const isCandidate = (line: string): boolean => /^a=(candidate:|end-of-candidates)/.test(line);

function withCandidates(section: string[], media: string[][]): string[] {
  if (section.some(isCandidate)) return section;
  return [...section, ...(media.find((other) => other.some(isCandidate)) ?? []).filter(isCandidate)];
}
