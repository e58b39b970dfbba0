/** Devices as Google describes them, one of each kind it documents. */
export interface GoogleDevice {
  name: string;
  type: string;
  assignee: string;
  traits: Record<string, Record<string, unknown>>;
  parentRelations: { parent: string; displayName: string }[];
}

export const kinds = [
  'legacy-camera',
  'wired-camera',
  'battery-camera',
  'hub',
  'legacy-doorbell',
  'battery-doorbell',
  'wired-doorbell',
  'thermostat',
] as const;
export type Kind = (typeof kinds)[number];

const empty = (...names: string[]) => Object.fromEntries(names.map((name) => [name, {}]));
const pictures = { CameraImage: { maxImageResolution: { width: 1920, height: 1200 } }, ...empty('CameraEventImage') };
const live = (protocol: 'RTSP' | 'WEB_RTC') => ({
  CameraLiveStream: {
    ...(protocol === 'RTSP' && { maxVideoResolution: { width: 640, height: 480 } }),
    videoCodecs: ['H264'],
    audioCodecs: [protocol === 'RTSP' ? 'AAC' : 'OPUS'],
    supportedProtocols: [protocol],
  },
});
const legacy = { ...live('RTSP'), ...pictures, ...empty('CameraMotion', 'CameraPerson', 'CameraSound') };
const current = { ...live('WEB_RTC'), ...empty('CameraMotion', 'CameraPerson') };
const chime = empty('DoorbellChime');

const models: Record<Kind, { type: string; traits: Record<string, object> }> = {
  'legacy-camera': { type: 'CAMERA', traits: legacy },
  'wired-camera': { type: 'CAMERA', traits: current },
  'battery-camera': { type: 'CAMERA', traits: current },
  hub: { type: 'DISPLAY', traits: legacy },
  'legacy-doorbell': { type: 'DOORBELL', traits: { ...legacy, ...chime } },
  'battery-doorbell': { type: 'DOORBELL', traits: { ...current, ...empty('CameraClipPreview'), ...chime } },
  'wired-doorbell': { type: 'DOORBELL', traits: { ...current, ...empty('CameraClipPreview'), ...chime } },
  thermostat: { type: 'THERMOSTAT', traits: { Connectivity: { status: 'ONLINE' } } },
};

export interface DeviceOptions {
  room?: string;
  customName?: string;
}

export function makeDevice(project: string, id: string, kind: Kind, options: DeviceOptions = {}): GoogleDevice {
  const { type, traits } = models[kind];
  const parent = `enterprises/${project}/structures/home/rooms/${id}`;
  const all = { Info: { customName: options.customName ?? '' }, ...structuredClone(traits) };
  return {
    name: `enterprises/${project}/devices/${id}`,
    type: `sdm.devices.types.${type}`,
    assignee: parent,
    traits: Object.fromEntries(Object.entries(all).map(([name, trait]) => [`sdm.devices.traits.${name}`, trait])),
    parentRelations: [{ parent, displayName: options.room ?? 'Porch' }],
  };
}
