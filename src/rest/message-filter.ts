/** The parameters of lists of messages. docs/gateway.md "Looking at messages" */
import type { MessageFilter, MessageState } from '../ports/message-log.ts';
import { badValue } from '../standards/fhir/outcome.ts';
import { suggestNames } from '../standards/fhir/search/suggest.ts';

const COUNT_DEFAULT = 50;
const COUNT_MAX = 500;
const STATES: readonly MessageState[] = [
  'received',
  'applied',
  'rejected',
  'queued',
  'sent',
  'unknown',
  'acknowledged',
  'dead',
];
const FILTERS = ['state', 'dialect', 'kind', 'direction', 'sender', 'control-id', 'since', 'until'];

/** Refuses what is no parameter of the list; `others` may stand beside the filter. */
export function readFilter(query: ReadonlyMap<string, string>, others: readonly string[]): MessageFilter {
  for (const name of query.keys())
    if (!FILTERS.includes(name) && !others.includes(name)) {
      const near = suggestNames(name, FILTERS);
      throw badValue(
        `There is no such parameter here${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : `: use ${FILTERS.join(', ')}`}`,
        name.slice(0, 64),
      );
    }
  for (const [name, value] of query)
    if (value.includes('\u0000')) throw badValue('The value holds a character that no message code has', name);
  const state = query.get('state');
  const known = STATES.find((one) => one === state);
  if (state !== undefined && !known) throw badValue(`state is one of ${STATES.join(', ')}`, 'state');
  const direction = query.get('direction');
  if (direction !== undefined && direction !== 'in' && direction !== 'out')
    throw badValue('direction is in or out', 'direction');
  const text = (name: string, as: keyof MessageFilter): Partial<MessageFilter> => {
    const value = query.get(name);
    return value === undefined ? {} : { [as]: value };
  };
  const [since, until] = [readInstant(query, 'since'), readInstant(query, 'until')];
  return {
    ...(known && { state: known }),
    ...(direction !== undefined && { direction }),
    ...text('dialect', 'dialect'),
    ...text('kind', 'kind'),
    ...text('sender', 'sender'),
    ...text('control-id', 'controlId'),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  };
}

function readInstant(query: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  const at = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(at)) throw badValue(`${name} is a date, or an instant with its offset: 2026-05-01T09:00:00Z`, name);
  return at;
}

/** `_count`: how many a page has. */
export function readCount(text: string | undefined): number {
  if (text === undefined) return COUNT_DEFAULT;
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw badValue('_count must be a whole number above 0', '_count');
  return Math.min(Number(text), COUNT_MAX);
}
