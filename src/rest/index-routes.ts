/** Routes of what searches are answered from. docs/fhir.md */
import { MORTAR } from '../standards/fhir/canonical.ts';
import { cancelReindex, indexStatus, reindexOperation, reindexStatus } from './operations/reindex.ts';
import type { RecordOperation } from './record-routes.ts';
import type { Route } from './route.ts';

export const INDEX_OPERATIONS: readonly RecordOperation[] = [
  {
    name: 'reindex',
    definition: `${MORTAR}/OperationDefinition/reindex`,
    at: [
      { level: 'system', methods: ['POST'], letters: '', handle: reindexOperation },
      { level: 'type', methods: ['POST'], letters: 'us', handle: reindexOperation },
      { level: 'instance', methods: ['POST'], letters: 'u', handle: reindexOperation },
    ],
  },
  {
    name: 'index-status',
    type: 'SearchParameter',
    definition: `${MORTAR}/OperationDefinition/index-status`,
    at: [{ level: 'instance', methods: ['GET'], letters: 'r', handle: indexStatus }],
  },
];

const common = { interaction: 'reindex', level: 'operation', access: 'token' } as const;

/** Where a `$reindex` is watched and ended; each looks at whose it is. */
export const INDEX_ROUTES: readonly Route[] = [
  { ...common, method: 'GET', path: '/$reindex-status/:id', handle: reindexStatus },
  { ...common, method: 'DELETE', path: '/$reindex-status/:id', handle: cancelReindex },
];
