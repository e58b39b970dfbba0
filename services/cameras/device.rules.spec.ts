import { describe, expect, test } from '@jest/globals';
import { googleDevice } from '../../shared/contracts/cameras.contract.ts';
import { isCamera, nameOf, protocolsOf, roomOf, streamKeys } from './device.rules.ts';

const common = ['Info', 'CameraLiveStream', 'CameraMotion', 'CameraPerson'];
const pictures = ['CameraEventImage', 'CameraImage', 'CameraSound'];

function device(type: string, traits: Record<string, object> | string[], more: object = {}) {
  const entries: [string, object][] = Array.isArray(traits) ? traits.map((name) => [name, {}]) : Object.entries(traits);
  return googleDevice.parse({
    name: 'enterprises/p/devices/d',
    type: `sdm.devices.types.${type}`,
    traits: Object.fromEntries(entries.map(([name, trait]) => [`sdm.devices.traits.${name}`, trait])),
    ...more,
  });
}
const streaming = (type: string, protocols: string[] | undefined, more: string[]) =>
  device(type, {
    ...Object.fromEntries([...common, ...more].map((name) => [name, {}])),
    CameraLiveStream: protocols ? { supportedProtocols: protocols } : {},
  });

describe('names of devices', () => {
  test('the owner names a device, else its room and kind do', () => {
    const relations = { parentRelations: [{ parent: 'x', displayName: '  Front\nHall ' }] };
    expect(nameOf(device('DOORBELL', { Info: { customName: ' Door ' } }, relations))).toBe('Door');
    expect(nameOf(device('DOORBELL', { Info: { customName: '' } }, relations))).toBe('Front Hall Doorbell');
    expect(nameOf(device('CAMERA', ['Info']))).toBe('Unknown Camera');
    expect(nameOf(device('DISPLAY', ['Info'], relations))).toBe('Front Hall Display');
    expect(roomOf(device('CAMERA', [], relations))).toBe('Front Hall');
  });

  test('a name fits a record whatever Google says', () => {
    const long = { parentRelations: [{ displayName: 'r'.repeat(900) }] };
    expect(nameOf(device('CAMERA', [], long))).toHaveLength(245 + ' Camera'.length);
    expect(nameOf(device('CAMERA', { Info: { customName: 'n'.repeat(300) } }))).toHaveLength(255);
  });
});

test('a camera is what has a trait of one', () => {
  expect(isCamera(device('THERMOSTAT', ['Info', 'Connectivity']))).toBe(false);
  expect(isCamera(device('', ['CameraMotion']))).toBe(true);
});

test.each([
  [['RTSP'], ['RTSP']],
  [['WEB_RTC'], ['WEB_RTC']],
  [
    ['WEB_RTC', 'RTSP', 'HLS'],
    ['RTSP', 'WEB_RTC'],
  ],
  [undefined, ['RTSP']],
  [[], []],
])('a live stream of %j offers %j', (named, offered) => {
  expect(protocolsOf(streaming('CAMERA', named, []))).toEqual(offered);
});

test('a device without a live stream offers nothing', () => {
  const keys = streamKeys(device('CAMERA', ['CameraMotion']));
  expect(keys).toEqual({
    identified_as: null,
    protocols: null,
    resolution: null,
    codecs_video: null,
    codecs_audio: null,
  });
});

test('size and codecs are those of the trait', () => {
  const trait = {
    maxVideoResolution: { width: 640, height: 480 },
    videoCodecs: ['H264'],
    audioCodecs: ['AAC', 'OPUS'],
    supportedProtocols: ['RTSP', 'WEB_RTC'],
  };
  expect(streamKeys(device('CAMERA', { CameraLiveStream: trait }))).toEqual({
    identified_as: null,
    protocols: 'RTSP, WEB_RTC',
    resolution: '640x480',
    codecs_video: 'H264',
    codecs_audio: 'AAC, OPUS',
  });
});

test('a WebRTC stream without a size is taken for full HD, an RTSP one is not', () => {
  expect(streamKeys(streaming('CAMERA', ['WEB_RTC'], [])).resolution).toBe('1920x1080');
  expect(streamKeys(streaming('CAMERA', ['RTSP'], [])).resolution).toBeNull();
});

const batteryAndWired = [
  'Nest Cam (outdoor or indoor, battery)',
  'Nest Cam with floodlight',
  'Nest Cam (indoor, wired)',
];
test.each([
  ['CAMERA', ['RTSP'], pictures, ['Nest Cam (legacy)']],
  ['CAMERA', ['WEB_RTC'], pictures, ['Nest Cam (legacy)']],
  ['CAMERA', ['WEB_RTC'], [], batteryAndWired],
  ['CAMERA', ['RTSP'], [], null],
  ['DISPLAY', ['RTSP'], pictures, ['Nest Hub Max']],
  ['DISPLAY', ['WEB_RTC'], pictures, null],
  ['DOORBELL', ['RTSP'], [...pictures, 'DoorbellChime'], ['Nest Doorbell (legacy)']],
  ['DOORBELL', ['RTSP'], pictures, null],
  [
    'DOORBELL',
    ['WEB_RTC'],
    ['CameraClipPreview', 'DoorbellChime'],
    ['Nest Doorbell (battery)', 'Nest Doorbell (wired)'],
  ],
  ['CAMERA', undefined, pictures, null],
  ['CAMERA', [], pictures, null],
])('a %s over %j with %j is identified as %j', (type, protocols, more, models) => {
  expect(streamKeys(streaming(type, protocols, more)).identified_as).toEqual(models);
});
