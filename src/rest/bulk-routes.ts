/** Routes of bulk data. https://hl7.org/fhir/uv/bulkdata/STU2/export.html */
import { MORTAR } from '../standards/fhir/canonical.ts';
import {
  cancelExport,
  exportFile,
  exportGroup,
  exportPatients,
  exportStatus,
  exportSystem,
} from './operations/export.ts';
import { cancelImport, importFile, importLines, importStatus } from './operations/import.ts';
import { runView } from './operations/view-run.ts';
import type { RecordOperation } from './record-routes.ts';
import type { Route } from './route.ts';

const BOTH = ['GET', 'POST'] as const;
const bulk = (name: string): string => `http://hl7.org/fhir/uv/bulkdata/OperationDefinition/${name}`;

export const BULK_OPERATIONS: readonly RecordOperation[] = [
  {
    name: 'viewdefinition-run',
    definition: 'http://sql-on-fhir.org/OperationDefinition/$viewdefinition-run',
    // The type is in the body: it is judged there.
    at: [{ level: 'system', methods: ['POST'], letters: '', handle: runView }],
  },
  {
    name: 'export',
    definition: bulk('export'),
    at: [{ level: 'system', methods: BOTH, letters: '', handle: exportSystem }],
  },
  {
    name: 'export',
    type: 'Patient',
    definition: bulk('patient-export'),
    at: [{ level: 'type', methods: BOTH, letters: 'rs', handle: exportPatients }],
  },
  {
    name: 'export',
    type: 'Group',
    definition: bulk('group-export'),
    at: [{ level: 'instance', methods: BOTH, letters: 'rs', handle: exportGroup }],
  },
  {
    name: 'import',
    definition: `${MORTAR}/OperationDefinition/import`,
    at: [{ level: 'system', methods: ['POST'], letters: '', handle: importLines }],
  },
];

const common = { interaction: 'export', level: 'operation', access: 'token' } as const;

const ofImport = { ...common, interaction: 'import' } as const;

/** Where an export or import is asked for, given and ended; each looks at whose it is. */
export const BULK_ROUTES: readonly Route[] = [
  { ...common, method: 'GET', path: '/$export-status/:id', handle: exportStatus },
  { ...common, method: 'DELETE', path: '/$export-status/:id', handle: cancelExport },
  { ...common, method: 'GET', path: '/$export-file/:id/:version', handle: exportFile },
  { ...ofImport, method: 'GET', path: '/$import-status/:id', handle: importStatus },
  { ...ofImport, method: 'DELETE', path: '/$import-status/:id', handle: cancelImport },
  { ...ofImport, method: 'GET', path: '/$import-file/:id/:version', handle: importFile },
];
