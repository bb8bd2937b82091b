/**
 * Operations on what is stored: their routes, and how the capability statement names them. One row an operation.
 * https://hl7.org/fhir/R4/operations.html
 */

import { MORTAR } from '../standards/fhir/canonical.ts';
import { BULK_OPERATIONS } from './bulk-routes.ts';
import { INDEX_OPERATIONS } from './index-routes.ts';
import { documentOperation } from './operations/document.ts';
import { everythingOf } from './operations/everything.ts';
import { graphqlOperation } from './operations/graphql.ts';
import { lastnOperation } from './operations/lastn.ts';
import { matchOperation } from './operations/match.ts';
import { addMeta, deleteMeta, metaOfInstance, metaOfMany } from './operations/meta.ts';
import type { Route } from './route.ts';
import type { Handler } from './services.ts';
import { SUBSCRIPTION_OPERATIONS } from './subscription-routes.ts';

export interface RecordOperation {
  readonly name: string;
  /** Of one type; absent: of every type. */
  readonly type?: string;
  readonly definition: string;
  /** Where it can be asked for, and what for: letters on the type. */
  readonly at: readonly {
    readonly level: 'system' | 'type' | 'instance';
    readonly methods: readonly ('GET' | 'POST')[];
    /** On system level each type is judged alone. */
    readonly letters: string;
    readonly handle: Handler;
  }[];
}

const BOTH = ['GET', 'POST'] as const;
const official = (name: string): string => `http://hl7.org/fhir/OperationDefinition/${name}`;

const RECORD_OPERATIONS: readonly RecordOperation[] = [
  {
    name: 'meta',
    definition: official('Resource-meta'),
    at: [
      { level: 'system', methods: BOTH, letters: '', handle: metaOfMany },
      { level: 'type', methods: BOTH, letters: 's', handle: metaOfMany },
      { level: 'instance', methods: BOTH, letters: 'r', handle: metaOfInstance },
    ],
  },
  {
    name: 'meta-add',
    definition: official('Resource-meta-add'),
    at: [{ level: 'instance', methods: ['POST'], letters: 'u', handle: addMeta }],
  },
  {
    name: 'meta-delete',
    definition: official('Resource-meta-delete'),
    at: [{ level: 'instance', methods: ['POST'], letters: 'u', handle: deleteMeta }],
  },
  {
    name: 'graphql',
    definition: official('Resource-graphql'),
    at: [
      { level: 'system', methods: BOTH, letters: '', handle: graphqlOperation },
      { level: 'instance', methods: BOTH, letters: 'r', handle: graphqlOperation },
    ],
  },
  {
    name: 'everything',
    type: 'Patient',
    definition: official('Patient-everything'),
    at: [
      { level: 'type', methods: BOTH, letters: 's', handle: everythingOf('Patient') },
      { level: 'instance', methods: BOTH, letters: 'r', handle: everythingOf('Patient') },
    ],
  },
  {
    name: 'everything',
    type: 'Encounter',
    definition: official('Encounter-everything'),
    at: [{ level: 'instance', methods: BOTH, letters: 'r', handle: everythingOf('Encounter') }],
  },
  {
    name: 'everything',
    type: 'Practitioner',
    definition: `${MORTAR}/OperationDefinition/practitioner-everything`,
    at: [{ level: 'instance', methods: BOTH, letters: 'r', handle: everythingOf('Practitioner') }],
  },
  {
    name: 'document',
    type: 'Composition',
    definition: official('Composition-document'),
    at: [{ level: 'instance', methods: BOTH, letters: 'r', handle: documentOperation }],
  },
  {
    name: 'lastn',
    type: 'Observation',
    definition: official('Observation-lastn'),
    at: [{ level: 'type', methods: BOTH, letters: 's', handle: lastnOperation }],
  },
  {
    name: 'match',
    type: 'Patient',
    definition: official('Patient-match'),
    at: [{ level: 'type', methods: ['POST'], letters: 's', handle: matchOperation }],
  },
  ...SUBSCRIPTION_OPERATIONS,
  ...BULK_OPERATIONS,
  ...INDEX_OPERATIONS,
];

const PREFIX = { system: '', type: '/:type', instance: '/:type/:id' } as const;

export const recordRoutes = (): readonly Route[] =>
  RECORD_OPERATIONS.flatMap(({ name, type, at }) =>
    at.flatMap(({ level, methods, letters, handle }) =>
      methods.map(
        (method): Route => ({
          method,
          path: `${PREFIX[level].replace(':type', type ?? ':type')}/$${name}`,
          interaction: name,
          level: 'operation',
          access: letters === '' ? 'token' : { letters },
          handle,
        }),
      ),
    ),
  );

const named = ({ name, definition }: RecordOperation) => ({ name, definition });

/** For the capability statement: of the system, of every type, of single types. */
export const systemOperations = RECORD_OPERATIONS.filter(({ at }) => at.some(({ level }) => level === 'system')).map(
  named,
);
export const everyTypeOperations = RECORD_OPERATIONS.filter(
  ({ type, at }) => type === undefined && at.some(({ level }) => level !== 'system'),
).map(named);
export const singleTypeOperations = RECORD_OPERATIONS.flatMap((one) =>
  one.type === undefined ? [] : [{ type: one.type, ...named(one) }],
);
