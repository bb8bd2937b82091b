/** What the terminology operations have in common. https://hl7.org/fhir/R4/terminology-service.html */
import type { Resource } from '../../ports/resource-store.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import type { CodeSystem, Coding, Terminology, TerminologySource } from '../../standards/fhir/terminology/resources.ts';
import { createVocabulary, type Vocabulary } from '../../standards/fhir/terminology/vocabulary.ts';
import { checkValid } from '../body.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import type { Handler, Services } from '../services.ts';
import { type OperationInput, readInput } from './parameters.ts';
import { createTerminologySource, parseStored } from './terminology-source.ts';

/** An operation once it is known what it is given and about what. */
export interface Asked {
  readonly services: Services;
  readonly request: FhirRequest;
  readonly input: OperationInput;
  readonly vocabulary: Vocabulary;
  /** That of the path. */
  readonly instance: Terminology | undefined;
}

/** A handler that knows its parameters; `Type/id/$name` is about that resource. */
export const operation =
  (names: readonly string[], work: (asked: Asked) => Promise<FhirAnswer>): Handler =>
  async (services, request) => {
    const input = readInput(services, request, names);
    const [type, id] = request.segments as [string, string]; // the route has them
    const instance =
      request.segments.length < 3
        ? undefined
        : parseStored(services, await services.store.read(request.caller, type, id));
    const source = createTerminologySource(services, request.caller);
    const vocabulary = createVocabulary(
      instance?.resourceType === 'CodeSystem' ? withCodeSystem(source, instance) : source,
      input.texts('system-version'),
    );
    return work({ services, request, input, vocabulary, instance });
  };

/** The source with one code system that counts before any other of its url. */
export const withCodeSystem = (source: TerminologySource, codeSystem: CodeSystem): TerminologySource => ({
  ...source,
  findCodeSystem: async (url) =>
    (url.split('|')[0] ?? '') === (codeSystem.url ?? '') ? codeSystem : source.findCodeSystem(url),
});

/** `code` with what goes with it, `coding`, or those of `codeableConcept`: one of the three. */
export function codingsOf(input: OperationInput): readonly Coding[] {
  const code = input.text('code');
  const given = [
    code === undefined ? [] : [codingBy(input, code)],
    input.values<Coding>('coding'),
    input.values<{ readonly coding?: readonly Coding[] }>('codeableConcept').flatMap(({ coding = [] }) => coding),
  ].filter((codings) => codings.length > 0);
  if (given.length !== 1)
    throw new FhirError(400, [issue('required', 'The operation needs one of code, coding and codeableConcept')]);
  return given[0] ?? [];
}

function codingBy(input: OperationInput, code: string): Coding {
  const parts = {
    system: input.text('system'),
    version: input.text('systemVersion') ?? input.text('version'),
    display: input.text('display'),
  };
  return { code, ...Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined)) };
}

/** A resource of the body, which must be valid. */
export function givenResource<T extends Terminology>(
  services: Services,
  input: OperationInput,
  name: string,
  type: T['resourceType'],
): T | undefined {
  const resource: Resource | undefined = input.resource(name);
  if (resource === undefined) return undefined;
  checkValid(services, resource, type, name);
  return resource as unknown as T; // validated
}
