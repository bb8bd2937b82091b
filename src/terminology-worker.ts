/** Worker thread of `terminology-cache.ts`: compacts the bundles of the folder it is given and posts what it made. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { RawBundle } from './standards/fhir/definitions.ts';
import { compactTerminology } from './standards/fhir/terminology/official.ts';

const BUNDLES = ['valuesets.json', 'v3-codesystems.json', 'v2-tables.json', 'conceptmaps.json'];

// The bundles come from the pinned definitions package, whose shape is fixed.
const read = (name: string): RawBundle => JSON.parse(readFileSync(join(workerData, name), 'utf8')) as RawBundle;
parentPort?.postMessage(compactTerminology(BUNDLES.map(read)));
