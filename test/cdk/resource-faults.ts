// Holds a template against AWS's own description of its resources: what CloudFormation would refuse at the deploy. Unknown types and
// properties, required ones that are missing, values of another type or none of those that are allowed.
import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec';

type Db = ReturnType<typeof loadAwsServiceSpecSync>;
type Definition = ReturnType<Db['all']>[number];
type Properties = Definition['properties'];
type PropertyType = Properties[string]['type'];

let loaded: Db | null = null;

/** What is wrong with a template, each fault with the resource and the path of the property; empty if nothing is. */
export function resourceFaults(template: { readonly Resources?: Readonly<Record<string, any>> }): readonly string[] {
  return Object.entries(template.Resources ?? {}).flatMap(([id, { Type, Properties = {} }]) => {
    if (Type.startsWith('Custom::')) return [];
    loaded ??= loadAwsServiceSpecSync();
    const [resource] = loaded.lookup('resource', 'cloudFormationType', 'equals', Type);
    if (resource === undefined) return [`${id}: there is no ${Type}`];
    return ofObject(loaded, Properties, resource.properties, `${id} (${Type})`);
  });
}

function ofObject(
  db: Db,
  value: Readonly<Record<string, unknown>>,
  known: Properties,
  path: string,
): readonly string[] {
  const missing = Object.entries(known).filter(([name, { required }]) => required && value[name] === undefined);
  const given = Object.entries(value).flatMap(([name, inner]) => {
    const type = known[name]?.type;
    return type === undefined ? [`${path}.${name}: no such property`] : ofValue(db, inner, type, `${path}.${name}`);
  });
  return [...missing.map(([name]) => `${path}.${name}: is missing`), ...given];
}

function ofValue(db: Db, value: any, type: PropertyType, path: string): readonly string[] {
  if (isIntrinsic(value)) return [];
  switch (type.type) {
    case 'array':
      if (!Array.isArray(value)) return [`${path}: is no list`];
      return value.flatMap((item, index) => ofValue(db, item, type.element, `${path}[${index}]`));
    case 'map':
      if (!isObject(value)) return [`${path}: is no object`];
      return Object.entries(value).flatMap(([key, item]) => ofValue(db, item, type.element, `${path}.${key}`));
    case 'ref':
      if (!isObject(value)) return [`${path}: is no object`];
      return ofObject(db, value, db.get('typeDefinition', type.reference).properties, path);
    case 'union': {
      const faults = type.types.map((one) => ofValue(db, value, one, path));
      return faults.some((none) => none.length === 0) ? [] : (faults[0] ?? []);
    }
    default:
      return ofPlain(value, type, path);
  }
}

/** CloudFormation turns numbers and booleans into texts and back. */
function ofPlain(value: unknown, type: PropertyType, path: string): readonly string[] {
  const text = String(value);
  if (type.type === 'json' || type.type === 'tag') return [];
  if (typeof value === 'object') return [`${path}: is no ${type.type}`];
  if (type.type === 'integer' && !/^-?\d+$/.test(text)) return [`${path}: ${text} is no whole number`];
  if (type.type === 'number' && Number.isNaN(Number(text))) return [`${path}: ${text} is no number`];
  if (type.type === 'boolean' && !/^(?:true|false)$/.test(text)) return [`${path}: ${text} is neither true nor false`];
  const allowed = 'allowedValues' in type ? (type.allowedValues ?? []).map(String) : [];
  return allowed.length === 0 || allowed.includes(text) ? [] : [`${path}: ${text} is none of ${allowed.join(', ')}`];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What CloudFormation computes: `Ref`, `Fn::GetAtt` … */
function isIntrinsic(value: unknown): boolean {
  if (!isObject(value)) return false;
  const keys = Object.keys(value);
  return keys.length === 1 && /^(?:Ref$|Fn::)/.test(keys[0] ?? '');
}
