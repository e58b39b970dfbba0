import type { NatsConnection } from 'nats';
import { NatsLink } from './nats.link.ts';

const links = new WeakMap<NatsConnection, NatsLink>();

/** One for all that share a connection: each would watch its status for itself. */
export function linkOf(connection: NatsConnection): NatsLink {
  let link = links.get(connection);
  if (!link) {
    link = new NatsLink(connection);
    links.set(connection, link);
  }
  return link;
}
