import type { EventAudience, ServiceContract } from '../../shared/contracts/index.ts';
import { contracts } from '../../shared/contracts/index.ts';
import type { EventEnvelope } from '../../shared/fanout/bus.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import { isRequestId } from './envelope.ts';

/** What a client that presents nothing may do: ask and hear, only ask, not even connect. */
export type AnonymousMode = 'events' | 'requests' | 'off';

export interface MqttRules {
  /** Base of every topic, without a slash at either end. */
  readonly base: string;
  readonly anonymous: AnonymousMode;
  /**
   * Whether each message is checked again for each client that is to get it (the embedded broker does, `mayHear`).
   * Without that, a filter that could match more than its owner may hear is refused.
   */
  readonly forwardChecked?: boolean;
}

/** The domains of seed 001, which its clients hear without logging in at the broker. */
const anonymousDomains: ReadonlySet<string> = new Set(['camera', 'credentials']);
const maxFilter = 1_024;
const maxLevels = 32;
const strictness: Record<EventAudience, number> = { users: 0, named: 1, admins: 2, services: 3 };
const audiences = domainAudiences(contracts);

export const requestTopic = (base: string): string => `${base}/requests`;
export const responseTopic = (base: string, requestId: string): string => `${base}/responses/${requestId}`;
export const failureTopic = (base: string): string => `${base}/failures`;

/** Clients publish requests and nothing else. */
export function mayPublish(principal: Principal, topic: string, rules: MqttRules): boolean {
  return isLetIn(principal, rules) && topic === requestTopic(rules.base);
}

/**
 * Answers only by their exact topic; failures; events of the domains the principal may hear. Only gateways read
 * requests, as they hold tokens.
 */
export function maySubscribe(principal: Principal, filter: string, rules: MqttRules): boolean {
  if (!isLetIn(principal, rules) || !isFilter(filter)) return false;
  const { base } = rules;
  if (filter === failureTopic(base)) return true;
  const answers = responseTopic(base, '');
  if (filter.startsWith(answers)) return isRequestId(filter.slice(answers.length), 'mqtt');
  const domain = domainOf(filter, base);
  return domain !== undefined && mayHearDomain(principal, domain, rules);
}

/** Whether roles decide who may subscribe to a filter: they do for events, and for nothing else. */
export const dependsOnRoles = (filter: string, { base }: MqttRules): boolean => domainOf(filter, base) !== undefined;

/** Whether one event is for a principal; administrators hear every one that clients hear at all. */
export function mayHear(principal: Principal, { hearers, body }: EventEnvelope, anonymous: AnonymousMode): boolean {
  if (hearers.kind === 'services') return false;
  if (principal.roles.includes('admin')) return true;
  if (principal.kind === 'anonymous') {
    return anonymous === 'events' && hearers.kind === 'users' && anonymousDomains.has(body.domain);
  }
  if (hearers.kind === 'named') return hearers.users.includes(principal.id);
  return hearers.kind === 'users';
}

/** Whether only gateways may publish on a topic; also with a slash before it, as events are. */
export function isGatewayTopic(topic: string, base: string): boolean {
  const plain = topic.startsWith('/') ? topic.slice(1) : topic;
  return ['requests', 'responses', 'failures', 'events', 'stream'].some(
    (room) => plain === `${base}/${room}` || plain.startsWith(`${base}/${room}/`),
  );
}

const isLetIn = (principal: Principal, rules: MqttRules): boolean =>
  principal.kind !== 'anonymous' || rules.anonymous !== 'off';

/** The domain level of a filter on events, `+` or `#` where it is a wildcard; undefined for any other filter. */
function domainOf(filter: string, base: string): string | undefined {
  const plain = filter.startsWith('/') ? filter.slice(1) : filter;
  for (const room of [`${base}/events/`, `${base}/stream/`]) {
    if (plain.startsWith(room)) return plain.slice(room.length).split('/', 1)[0];
  }
  return undefined;
}

function mayHearDomain(principal: Principal, domain: string, rules: MqttRules): boolean {
  if (principal.roles.includes('admin')) return true;
  const hears = principal.kind !== 'anonymous' || rules.anonymous === 'events';
  if (domain === '+' || domain === '#') return hears && rules.forwardChecked === true;
  const audience = audiences.get(domain);
  if (!hears || audience === undefined || audience === 'admins' || audience === 'services') return false;
  if (principal.kind === 'anonymous') return anonymousDomains.has(domain);
  return audience === 'users' || rules.forwardChecked === true;
}

/** MQTT 3.1.1, 4.7: `+` is a whole level, `#` the last; `$` topics are the broker's own. */
function isFilter(filter: string): boolean {
  if (filter.length === 0 || filter.length > maxFilter || filter.startsWith('$')) return false;
  if (filter.includes('\u0000')) return false;
  const levels = filter.split('/');
  if (levels.length > maxLevels) return false;
  return levels.every((level, index) => {
    if (level.includes('#')) return level === '#' && index === levels.length - 1;
    return !level.includes('+') || level === '+';
  });
}

/** The strictest audience among the events of each domain. */
function domainAudiences(list: readonly ServiceContract[]): Map<string, EventAudience> {
  const found = new Map<string, EventAudience>();
  for (const { events } of list) {
    for (const [domain, byName] of Object.entries(events ?? {})) {
      for (const { audience } of Object.values(byName)) {
        const known = found.get(domain) ?? 'users';
        found.set(domain, strictness[audience] > strictness[known] ? audience : known);
      }
    }
  }
  return found;
}
