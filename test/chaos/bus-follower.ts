/** A process that follows a tier and never finishes an event: `bus-follower.ts <url> <prefix> <tier>`. */
import { natsBus } from '../../shared/fanout/nats.bus.ts';
import { connectNats } from '../../shared/fanout/nats.connection.ts';

const [url = '', prefix = '', tier = ''] = process.argv.slice(2);
const bus = await natsBus(await connectNats([url], 'follower'), { prefix });
await bus.follow({ tier }, () => new Promise(() => {}));
console.log('following');
