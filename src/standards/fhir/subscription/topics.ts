/**
 * Topics that a subscription may name: what of the changes is an event, by what it is narrowed, what goes with it.
 * https://hl7.org/fhir/R5/subscriptiontopic.html, https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/
 */
import { MORTAR } from '../canonical.ts';

type Json = Readonly<Record<string, unknown>>;

export interface Topic {
  readonly url: string;
  readonly version?: string;
  readonly title: string;
  /** An event is what one of them is met by. */
  readonly triggers: readonly Trigger[];
  /** By what it may be narrowed; absent: by any search parameter of its types. */
  readonly filters?: readonly TopicFilter[];
  readonly shapes: readonly Shape[];
}

export type Interaction = 'create' | 'update' | 'delete';

/** All that is said must hold. */
export interface Trigger {
  readonly type: string;
  readonly interactions: ReadonlySet<Interaction>;
  readonly query?: QueryCriteria;
  /**
   * Whether what is asked of the contents holds: `previous` is absent of what is new, `current` of what was deleted. Throws
   * `PathError` where that cannot be told.
   */
  readonly isMet?: (current: Json | undefined, previous: Json | undefined) => boolean;
}

/** Searches of the type, without controls. Absent results: the side that is not there does not count. */
export interface QueryCriteria {
  readonly previous?: string;
  readonly resultForCreate?: boolean;
  readonly current?: string;
  readonly resultForDelete?: boolean;
  readonly requireBoth: boolean;
}

export interface TopicFilter {
  readonly type: string;
  readonly parameter: string;
  /** Comparators and modifiers besides equality: `gt`, `not`. */
  readonly operators: ReadonlySet<string>;
  /** Whether its values may begin with a comparator. */
  readonly isOrdered: boolean;
}

/** What goes with an event of a type: `_include=Encounter:patient&_revinclude=Observation:encounter`. */
export interface Shape {
  readonly type: string;
  readonly query: string;
}

const ALL: ReadonlySet<Interaction> = new Set(['create', 'update', 'delete']);

const topic = (name: string, title: string, type: string, elements?: readonly string[]): Topic => ({
  url: `${MORTAR}/SubscriptionTopic/${name}`,
  title,
  triggers: [
    {
      type,
      interactions: ALL,
      ...(elements && {
        isMet: (current, previous) =>
          !current ||
          !previous ||
          elements.some((element) => JSON.stringify(current[element]) !== JSON.stringify(previous[element])),
      }),
    },
  ],
  shapes: [],
});

/** With the elements of which a change is an event; without them each version is one. */
export const TOPICS: readonly Topic[] = [
  topic('patient-change', 'A patient was registered, or the record of the person changed', 'Patient'),
  topic('appointment-change', 'An appointment was booked, moved, cancelled or has taken place', 'Appointment', [
    'status',
    'start',
    'end',
    'participant',
  ]),
  topic('prescription-change', 'A prescription was made, or its status changed', 'MedicationRequest', ['status']),
  topic('dispense-change', 'A medicine was dispensed, or the status of that changed', 'MedicationDispense', ['status']),
];

/** Types of which it tells, each once. */
export const typesOf = ({ triggers }: Topic): readonly string[] => [...new Set(triggers.map(({ type }) => type))];

/** What an interaction was, as triggers speak of it: what comes back after a deletion is created. */
export const interactionOf = (operation: string, hasPrevious: boolean): Interaction =>
  operation === 'delete' ? 'delete' : hasPrevious ? 'update' : 'create';

/**
 * What the query criteria say: `ask` answers for a content that is there. Where neither side is there to be asked, they are
 * not met.
 */
export async function meetsQuery(
  query: QueryCriteria,
  has: { readonly current: boolean; readonly previous: boolean },
  ask: (side: 'current' | 'previous', search: string) => Promise<boolean>,
): Promise<boolean> {
  const answers: boolean[] = [];
  for (const side of ['previous', 'current'] as const) {
    const search = query[side];
    if (search === undefined) continue;
    const answer = has[side]
      ? await ask(side, search)
      : side === 'previous'
        ? query.resultForCreate
        : query.resultForDelete;
    if (answer !== undefined) answers.push(answer);
  }
  return answers.length > 0 && (query.requireBoth ? answers.every(Boolean) : answers.some(Boolean));
}
