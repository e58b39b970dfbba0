import { readSps } from './h264.ts';

/** One media of a stream, as SDP (RFC 8866) describes it. */
export interface Track {
  kind: string;
  protocol: string;
  /** Payload types, as `96`. */
  formats: string;
  /** `rtpmap` and `fmtp` lines without `a=`. */
  attributes: string[];
  /** The URL, or what is added to the stream's, under which its sender set it up. */
  control: string;
}

/** What the control API tells of a track; `codecProps` is null where the codec has none. */
export interface TrackItem {
  codec: string;
  codecProps: Record<string, unknown> | null;
}

const kept = /^(rtpmap|fmtp):/;

/** The media of a description. Lines that carry nothing for the relay are left out. */
export function parseSdp(text: string): Track[] {
  const tracks: Track[] = [];
  for (const line of text.split(/\r?\n/)) {
    const media = /^m=(\w+) \S+ (\S+) (.+)$/.exec(line);
    if (media) {
      tracks.push({
        kind: media[1] ?? '',
        protocol: media[2] ?? '',
        formats: media[3] ?? '',
        attributes: [],
        control: '',
      });
      continue;
    }
    const track = tracks.at(-1);
    if (!track || !line.startsWith('a=')) continue;
    const attribute = line.slice(2);
    if (attribute.startsWith('control:')) track.control = attribute.slice('control:'.length);
    else if (kept.test(attribute)) track.attributes.push(attribute);
  }
  return tracks;
}

export const controlOf = (index: number): string => `trackID=${index}`;

/** The description of a stream whose tracks are under `trackID=0`, `trackID=1` and so on. */
export function formatSdp(tracks: readonly Track[]): string {
  const head = ['v=0', 'o=- 0 0 IN IP4 127.0.0.1', 's=Stream', 'c=IN IP4 0.0.0.0', 't=0 0'];
  const media = tracks.flatMap(({ kind, formats, attributes }, index) => [
    `m=${kind} 0 RTP/AVP ${formats}`,
    ...attributes.map((line) => `a=${line}`),
    `a=control:${controlOf(index)}`,
  ]);
  return `${[...head, ...media].join('\r\n')}\r\n`;
}

/** A control as the absolute URL under which a client sets the track up. */
export function controlUrl(base: string, control: string): string {
  if (/^rtsps?:\/\//.test(control)) return control;
  if (!control || control === '*') return base;
  return base.endsWith('/') ? `${base}${control}` : `${base}/${control}`;
}

const labels: Record<string, string> = {
  h264: 'H264',
  h265: 'H265',
  av1: 'AV1',
  vp8: 'VP8',
  vp9: 'VP9',
  opus: 'Opus',
  'mpeg4-generic': 'MPEG-4 Audio',
  pcmu: 'G711',
  pcma: 'G711',
  l16: 'LPCM',
};

function parameter(track: Track, name: string): string {
  const line = track.attributes.find((attribute) => attribute.startsWith('fmtp:')) ?? '';
  return new RegExp(`[; ]${name}=([^;]*)`).exec(line)?.[1]?.trim() ?? '';
}

/** The first H.264 parameter set of a track, the NAL header included; empty where there is none. */
export const parameterSet = (track: Track): Buffer =>
  Buffer.from(parameter(track, 'sprop-parameter-sets').split(',')[0] ?? '', 'base64');

function propertiesOf(track: Track, codec: string, rate: number, channels: number): TrackItem['codecProps'] {
  if (codec === 'H264') {
    return { ...(readSps(parameterSet(track)) ?? { width: 0, height: 0, profile: '', level: '' }) };
  }
  if (codec === 'MPEG-4 Audio') return { sampleRate: rate, channelCount: channels };
  if (codec === 'Opus') return { channelCount: channels };
  if (codec === 'G711')
    return { sampleRate: rate, channelCount: channels, muLaw: /pcmu/i.test(track.attributes.join()) };
  return null;
}

/** Codec and its properties, from `rtpmap`, `fmtp` and the parameter sets in it. */
export function describeTrack(track: Track): TrackItem {
  const map = /^rtpmap:\d+ ([^/]+)(?:\/(\d+))?(?:\/(\d+))?/;
  const [, name = '', rate = '0', channels = '1'] =
    track.attributes.map((line) => map.exec(line)).find((match) => match !== null) ?? [];
  const codec = labels[name.toLowerCase()] ?? 'Generic';
  return { codec, codecProps: propertiesOf(track, codec, Number(rate), Number(channels)) };
}
