/** The load generator, a process of its own: is sent LoadOptions and sends one LoadResult back. */
import { loadHttp } from './load.http.ts';
import { loadMqtt } from './load.mqtt.ts';
import { loadSocketio } from './load.socketio.ts';
import type { LoadOptions } from './load.types.ts';

process.once('message', async (options: LoadOptions) => {
  const result = await { http: loadHttp, socketio: loadSocketio, mqtt: loadMqtt }[options.protocol](options);
  process.send?.(result, () => process.exit(0));
});
