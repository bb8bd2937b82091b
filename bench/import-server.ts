/** Mortar that checks structure alone, to tell what invariants and bindings cost: started by `bench:import`. */
import { readConfig } from '../src/config.ts';
import { createFhirApi } from '../src/fhir-api.ts';
import { createLog } from '../src/log.ts';
import { startServer } from '../src/server.ts';

const config = readConfig(process.env);
const server = await startServer(config, createLog({ level: config.logLevel }), {
  createFhirApi: (parts) => createFhirApi({ ...parts, checks: 'structure' }),
});
process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)));
console.log('ready after its start');
