/** Mapping files of HL7 v2 partners: read once, at start, from one folder. docs/hl7v2.md "A mapping file for a partner" */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from './config.ts';
import { type PartnerRules, parsePartnerRules } from './mapping/hl7v2/partner-rules.ts';
import { parseJson } from './standards/fhir/json.ts';
import { FhirError } from './standards/fhir/outcome.ts';

/** Rules of a partner by the name it sends under: `PAS|RXX`. */
export type PartnerFiles = ReadonlyMap<string, PartnerRules>;

const BYTES_MAX = 1_048_576;
const FILES_MAX = 1000;

/** Throws `ConfigError` with every fault of every file. */
export function readPartnerFiles(folder: string | undefined): PartnerFiles {
  const files = new Map<string, PartnerRules>();
  if (folder === undefined) return files;
  const faults: string[] = [];
  for (const name of namesIn(folder)) {
    const rules = readOne(join(folder, name), (fault) => faults.push(`${name}: ${fault}`));
    for (const partner of rules?.partners ?? [])
      if (files.has(partner)) faults.push(`${name}: another file is for ${partner} too`);
      else if (rules) files.set(partner, rules);
  }
  if (faults.length > 0) throw new ConfigError(faults.map((fault) => `HL7V2_PARTNERS_FOLDER: ${fault}`));
  return files;
}

function namesIn(folder: string): readonly string[] {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.json') && !name.startsWith('.'));
    if (names.length <= FILES_MAX) return names.toSorted();
  } catch {
    throw new ConfigError(['HL7V2_PARTNERS_FOLDER: the folder cannot be read']);
  }
  throw new ConfigError([`HL7V2_PARTNERS_FOLDER: there are more than ${FILES_MAX} files`]);
}

function readOne(path: string, tell: (fault: string) => void): PartnerRules | undefined {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > BYTES_MAX) {
      tell('it is larger than 1 MiB');
      return undefined;
    }
    const { value, issues } = parsePartnerRules(parseJson(bytes));
    for (const { diagnostics } of issues) tell(String(diagnostics));
    if (value !== undefined && value.partners.length === 0) tell('partners names nobody');
    return value;
  } catch (error) {
    if (!(error instanceof FhirError)) throw error;
    tell('it is no JSON');
    return undefined;
  }
}
