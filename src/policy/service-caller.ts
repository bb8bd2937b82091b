/** Parts of Mortar that act for themselves, each with the rights it needs and no more. SECURITY AZ-02 */
import type { Caller } from '../ports/caller.ts';
import type { Letter, ResourceScope } from '../standards/smart/scope.ts';

const LETTERS: readonly Letter[] = ['c', 'r', 'u', 'd', 's'];

/** Every type, with these letters. */
const everything = (letters: readonly Letter[]): readonly ResourceScope[] => [{ level: 'system', type: '*', letters }];

/** What each part may do. */
const SERVICES = {
  /** Applies messages: looks up, makes and changes what they speak of. */
  gateway: everything(['c', 'r', 'u', 's']),
  jobs: everything(['r', 's']),
  /** Tells subscribers of changes, and in their Subscription how that goes. */
  subscriptions: [...everything(['r', 's']), { level: 'system', type: 'Subscription', letters: ['u'] }],
  /** Opens transactions that several share, each with rights of their own; it has none. */
  shared: [],
  demo: everything(['c', 'r', 'u', 's']),
  /** Sign-in and tokens: whom a user is, and which organizations are below theirs. */
  auth: everything(['r', 's']),
  /** Tells people of what is in their app: whom, and where they are reached. */
  notices: everything(['r', 's']),
  /** Messages about what happened to a record. */
  alerts: everything(['c']),
  /** Retention and erasure: takes references to what is gone out of what stays. */
  protection: [...everything(['r', 'u', 's']), { level: 'system', type: 'Consent', letters: ['u'] }],
  /** Looks tokens up, whoever shows them, and ends prescriptions whose time is over. */
  dispensing: everything(['r', 'u', 's', 'c']),
  /** Requests and prescriptions, for whoever may do what it does for them. */
  prescribing: everything(['c', 'r', 'u', 's']),
  /** Medicines, which are about nobody. */
  catalogue: [{ level: 'system', type: 'MedicationKnowledge', letters: ['r', 's'] }],
  /** Flags and notes beside a record: that processing is stopped, that a correction was refused. */
  'subject-rights': everything(['c', 'r', 'u', 's']),
  /** Tests of the parts below the doors. */
  test: everything(LETTERS),
} as const;

export function serviceCaller(name: keyof typeof SERVICES, correlationId: string = name): Caller {
  return { kind: 'service', name, correlationId, scopes: SERVICES[name], otherScopes: [] };
}
