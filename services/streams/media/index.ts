export { type FleetOptions, mediaFleet, type ServerPlace, serverId } from './fleet.ts';
export type { Fleet, FleetEvent, Listener, MediaServer, Protocols } from './fleet.types.ts';
export {
  freePathName,
  type HookCall,
  type HookContext,
  type HookEvent,
  type HookProgram,
  hookEvents,
  readAuthAddress,
  readHook,
} from './hooks.rules.ts';
export { localUrl } from './local.rules.ts';
export { type LocalMedia, mediamtxVersion, nodeHook, runMediamtx } from './local.ts';
export { type MediaApi, type Session, type SessionKind, sessionKinds } from './media.api.ts';
export { isMediaError, MediaError, type MediaErrorKind, PathTaken, takenProblem } from './media.error.ts';
export type { LivePath, Track } from './media.schemas.ts';
export {
  type Feed,
  feedName,
  feedPath,
  freePath,
  ownPrefix,
  type PathConf,
  readFeedName,
  type ViewerOptions,
  viewerNameProblem,
  viewerPath,
} from './paths.rules.ts';
export { type Candidate, place } from './placement.rules.ts';
export type { Wanted } from './reconciler.ts';
export { type AuthBody, credentialsOf, recordUrls, type ViewerUrls, viewerUrls } from './urls.rules.ts';
