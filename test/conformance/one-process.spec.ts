import { protocols } from '../system/clients.ts';
import { startOneProcess } from '../system/one-process.ts';
import { conformanceSuite } from './suite.ts';

conformanceSuite((env) => startOneProcess(env), protocols);
