/**
 * Lines of an import as writes: what is read from them, what is wrong with them, how many go together. Most are read as their
 * turn to be written comes, and let go of: what is held longer costs the collector more than it costs to read. docs/bulk.md
 */
import type { Resource, TransactionWrite } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { badStructure, badValue, FhirError, type Issue, tooLarge, unknownType } from '../../standards/fhir/outcome.ts';
import { isId } from '../../standards/fhir/reference.ts';
import { headOf } from './line-head.ts';

export interface ReadLineOptions {
  /** What refuses a resource. */
  readonly validate: (resource: unknown, expectedType?: string) => readonly Issue[];
  /** Whether resources of a type are stored here. */
  readonly isType: (type: string) => boolean;
  readonly lineBytesMax: number;
  readonly newId: () => string;
}

/** What is wrong with a line; lines count from 1. */
export interface LineFault {
  readonly line: number;
  readonly issues: readonly Issue[];
}

/** What a line writes; those of a line of known type and id are read, and found faulty, as they are written. */
export interface LineWrite {
  readonly line: number;
  readonly write: TransactionWrite;
}

/** Lines `from` to `to` (exclusive) of a piece, ready to be written together. */
export interface Batch {
  readonly from: number;
  readonly to: number;
  readonly writes: readonly LineWrite[];
  /** Of lines that are read already. */
  readonly faults: readonly LineFault[];
  /** `Type/id` of what the lines name. */
  readonly updated: ReadonlySet<string>;
}

const BLANK = /^\s*$/;
const BLANK_LENGTH_MAX = 1024;
const ISSUES_MAX = 10;
/** Lines between which others have their turn. */
const TURN = 32;

/**
 * The next batch of a piece: at most `size` lines, and fewer where a line writes what one before it writes. `firstLine`
 * is the number of the piece's first line.
 */
export async function readBatch(
  lines: readonly Buffer[],
  from: number,
  size: number,
  firstLine: number,
  options: ReadLineOptions,
): Promise<Batch> {
  const writes: LineWrite[] = [];
  const faults: LineFault[] = [];
  const seen = new Set<string>();
  const end = Math.min(lines.length, from + size);
  let at = from;
  for (; at < end; at++) {
    if ((at - from) % TURN === TURN - 1) await new Promise((resolve) => setImmediate(resolve));
    try {
      const write = writeOf(lines[at] as Buffer, options); // within the lines
      if (!write) continue;
      if (write.kind === 'update') {
        const key = `${write.type}/${write.id}`;
        if (seen.has(key)) break;
        seen.add(key);
      }
      writes.push({ line: firstLine + at, write });
    } catch (error) {
      faults.push(faultOf(firstLine + at, error));
    }
  }
  return { from, to: at, writes, faults, updated: seen };
}

/** Undefined for a blank line. Throws what is wrong with it, as far as it is read. */
function writeOf(line: Buffer, options: ReadLineOptions): TransactionWrite | undefined {
  const { isType, lineBytesMax, newId } = options;
  if (line.length > lineBytesMax) throw tooLarge(`The line is longer than the ${lineBytesMax} bytes allowed here`);
  if (line.length < BLANK_LENGTH_MAX && BLANK.test(line.toString('latin1'))) return undefined;
  const head = headOf(line);
  if (head && isType(head.type) && (head.id === undefined || isId(head.id))) {
    const { type, id } = head;
    const read = (): Resource => readLine(line, options);
    return id === undefined
      ? { kind: 'make', type, id: newId(), make: read, isBrief: true }
      : { kind: 'update', operation: 'update', type, id, change: read, isBrief: true };
  }
  const resource = readLine(line, options);
  const id = resource['id'];
  if (typeof id !== 'string') return { kind: 'create', resource, id: newId() };
  return { kind: 'update', operation: 'update', type: resource.resourceType, id, change: () => resource };
}

/** Throws what is wrong with the line. */
function readLine(line: Buffer, { validate, isType }: ReadLineOptions): Resource {
  const value = parseJson(line);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badStructure('The line must be a JSON object: a resource');
  const resource = value as Resource; // resourceType is checked next
  const { resourceType: type } = resource;
  if (typeof type !== 'string') throw badStructure('The resource has no resourceType');
  if (!isType(type)) throw unknownType(type.slice(0, 64));
  const id = resource['id'];
  if (id !== undefined && (typeof id !== 'string' || !isId(id)))
    throw badValue('A resource id has 1 to 64 letters, digits, hyphens and dots', `${type}.id`);
  const issues = validate(resource, type);
  if (issues.length > 0) throw new FhirError(422, issues);
  return resource;
}

/** Throws what is no fault of the line. */
export function faultOf(line: number, error: unknown): LineFault {
  if (!(error instanceof FhirError) || error.status >= 500) throw error;
  return { line, issues: error.issues.slice(0, ISSUES_MAX) };
}

/** A line of the error file: an OperationOutcome, whose id names the line. */
export const formatFault = ({ line, issues }: LineFault): string =>
  `${JSON.stringify({
    resourceType: 'OperationOutcome',
    id: `line-${line}`,
    issue: issues.map((one) => ({ ...one, diagnostics: `Line ${line}: ${one.diagnostics ?? one.code}` })),
  })}\n`;
