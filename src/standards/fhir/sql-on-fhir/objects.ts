/** Lists of objects in a ViewDefinition, which nothing has checked before it is compiled. */

export type Json = Readonly<Record<string, unknown>>;

/** Takes a fault in words, and where it is: `select[0].column`. */
export type Fault = (text: string, place: string) => void;

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** None where it is absent; what is no list, or no object in it, is a fault and left out. */
export function objectsOf(value: unknown, place: string, fault: Fault): readonly Json[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    fault('a list of objects stands here', place);
    return [];
  }
  return value.filter((one, i): one is Json => {
    if (!isObject(one)) fault('an object stands here', `${place}[${i}]`);
    return isObject(one);
  });
}
