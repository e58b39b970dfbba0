import { startAuth } from './auth/auth.service.ts';
import { startCameras } from './cameras/cameras.service.ts';
import { startCredentials } from './credentials/credentials.service.ts';
import type { StartService } from './deps.ts';
import { startPresence } from './presence/presence.service.ts';
import { startRooms } from './rooms/rooms.service.ts';
import { startStreams } from './streams/streams.service.ts';
import { startUsers } from './users/users.service.ts';

/** Every service by its name on the command line. */
export const services = {
  auth: startAuth,
  users: startUsers,
  cameras: startCameras,
  credentials: startCredentials,
  rooms: startRooms,
  presence: startPresence,
  streams: startStreams,
} as const satisfies Record<string, StartService>;

export type ServiceName = keyof typeof services;
