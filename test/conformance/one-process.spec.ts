import { startOneProcess } from '../system/one-process.ts';
import { conformanceSuite } from './suite.ts';

conformanceSuite(() => startOneProcess(), ['http', 'socketio']);
