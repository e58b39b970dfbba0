import type { GoogleDevice } from '../../shared/contracts/cameras.contract.ts';

export type Protocol = 'RTSP' | 'WEB_RTC';

const traitPrefix = 'sdm.devices.traits.';
const typePrefix = 'sdm.devices.types.';
/** Texts from Google end up in records a client reads. */
const maxText = 255;

const traitsOf = (device: GoogleDevice): string[] =>
  Object.keys(device.traits).map((name) => (name.startsWith(traitPrefix) ? name.slice(traitPrefix.length) : name));
const trait = (device: GoogleDevice, name: string): Record<string, unknown> | undefined =>
  device.traits[`${traitPrefix}${name}`];
const typeOf = ({ type }: GoogleDevice): string => (type.startsWith(typePrefix) ? type.slice(typePrefix.length) : type);

/** Whether any of a device's traits is a camera's: Google asks to decide by traits, not by type. */
export const isCamera = (device: GoogleDevice): boolean =>
  Object.keys(device.traits).some((name) => name.slice(name.lastIndexOf('.') + 1).startsWith('Camera'));

/** The first room a device is in, or `Unknown`. */
export function roomOf({ parentRelations }: GoogleDevice): string {
  const named = parentRelations.map(({ displayName }) => plain(displayName)).find((name) => name !== '');
  return named ?? 'Unknown';
}

const kinds: Readonly<Record<string, string>> = { CAMERA: 'Camera', DISPLAY: 'Display', DOORBELL: 'Doorbell' };

/** What its owner called a device, else its room and kind. */
export function nameOf(device: GoogleDevice): string {
  const custom = plain(trait(device, 'Info')?.customName);
  return custom || `${roomOf(device).slice(0, maxText - 10)} ${kinds[typeOf(device)] ?? 'Camera'}`;
}

function plain(text: unknown): string {
  if (typeof text !== 'string') return '';
  return text
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, maxText);
}

/** Other clients of Google's API take a live stream that names no protocol for RTSP. */
export function protocolsOf(device: GoogleDevice): Protocol[] {
  const stream = trait(device, 'CameraLiveStream');
  if (!stream) return [];
  const named = stream.supportedProtocols;
  if (named === undefined) return ['RTSP'];
  return (['RTSP', 'WEB_RTC'] as const).filter((protocol) => Array.isArray(named) && named.includes(protocol));
}

/** The keys of a camera's record that say what its stream is like. */
export function streamKeys(device: GoogleDevice) {
  const stream = trait(device, 'CameraLiveStream');
  const protocols = protocolsOf(device);
  return {
    identified_as: identify(device),
    protocols: protocols.length > 0 ? protocols.join(', ') : null,
    resolution: resolutionOf(stream, protocols),
    codecs_video: stream ? joined(stream.videoCodecs) : null,
    codecs_audio: stream ? joined(stream.audioCodecs) : null,
  };
}

function resolutionOf(stream: Record<string, unknown> | undefined, protocols: readonly Protocol[]): string | null {
  const { width, height } = (stream?.maxVideoResolution ?? {}) as { width?: unknown; height?: unknown };
  if (typeof width === 'number' && typeof height === 'number') return `${width}x${height}`;
  return protocols.includes('WEB_RTC') ? '1920x1080' : null;
}

const joined = (values: unknown): string =>
  Array.isArray(values)
    ? values
        .filter((value) => typeof value === 'string')
        .slice(0, 16)
        .join(', ')
    : '';

interface Model {
  names: readonly string[];
  type: string;
  protocols: readonly Protocol[];
  /** Beside those every camera has. */
  traits: readonly string[];
}

const pictures = ['CameraEventImage', 'CameraImage', 'CameraSound'];
const everyCamera = ['CameraLiveStream', 'CameraMotion', 'CameraPerson', 'Info'];
const models: readonly Model[] = [
  { names: ['Nest Cam (legacy)'], type: 'CAMERA', protocols: ['RTSP', 'WEB_RTC'], traits: pictures },
  {
    names: ['Nest Cam (outdoor or indoor, battery)', 'Nest Cam with floodlight', 'Nest Cam (indoor, wired)'],
    type: 'CAMERA',
    protocols: ['WEB_RTC'],
    traits: [],
  },
  { names: ['Nest Hub Max'], type: 'DISPLAY', protocols: ['RTSP'], traits: pictures },
  { names: ['Nest Doorbell (legacy)'], type: 'DOORBELL', protocols: ['RTSP'], traits: [...pictures, 'DoorbellChime'] },
  {
    names: ['Nest Doorbell (battery)', 'Nest Doorbell (wired)'],
    type: 'DOORBELL',
    protocols: ['WEB_RTC'],
    traits: ['CameraClipPreview', 'DoorbellChime'],
  },
];

/** The models whose type, protocols and exact set of traits a device has; null where none fits. */
function identify(device: GoogleDevice): string[] | null {
  if (trait(device, 'CameraLiveStream')?.supportedProtocols === undefined) return null;
  const offered = protocolsOf(device);
  const traits = traitsOf(device).sort().join();
  const fitting = models.filter(
    (model) =>
      model.type === typeOf(device) &&
      offered.length > 0 &&
      offered.every((protocol) => model.protocols.includes(protocol)) &&
      [...everyCamera, ...model.traits].sort().join() === traits,
  );
  const names = fitting.flatMap((model) => model.names);
  return names.length > 0 ? names : null;
}

/** Whether an event of the device has a picture that can be asked for. */
export const hasEventImages = (device: GoogleDevice): boolean => trait(device, 'CameraEventImage') !== undefined;
