/** Whether a topic matches a filter (MQTT 3.1.1, 4.7). Filters are valid and none begins with `$`, nor does a topic. */
export function matches(filter: string, topic: string): boolean {
  if (!filter.includes('+') && !filter.endsWith('#')) return filter === topic;
  const wanted = filter.split('/');
  const levels = topic.split('/');
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true;
    if (index >= levels.length || (level !== '+' && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}
