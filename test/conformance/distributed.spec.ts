import { protocols } from '../system/clients.ts';
import { startDistributed } from '../system/distributed.ts';
import { conformanceSuite } from './suite.ts';

/** A person's commands go through one gateway of a tier and are seen through another. */
conformanceSuite((env) => startDistributed(env, { http: 2, socketio: 1, mqtt: 2 }), protocols);
