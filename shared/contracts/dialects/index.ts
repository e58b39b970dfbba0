import type { DialectContract } from './dialect.ts';
import { roomsGuide } from './rooms-guide.ts';
import { serverApi } from './server-api.ts';

/** The Socket.IO dialects that have events of their own; that of the commands follows from their contracts. */
export const dialects = [serverApi, roomsGuide] as const satisfies readonly DialectContract[];
