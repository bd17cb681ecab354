/**
 * The sources of class labels. The first source that exists is used (`chooseLabels`):
 *
 * 1. what the caller gives: a list, or a file (parse-labels.ts)
 * 2. `NAME.json` beside the model (model-config.ts), or `config.json` (hugging-face-config.ts)
 * 3. the model itself, if it contains them (../classifier/usual-form.ts)
 * 4. the indices of the classes, with a warning
 */
import { FoveaError } from '../../errors.ts';
import { visibleText } from '../../visible-text.ts';

/** Labels without control characters, safe for messages, tables and pages. */
export const cleanLabels = (labels: readonly string[]): string[] => labels.map(visibleText);

/** The labels of both classes of a model with one score, of which one is given. */
export function bothLabels<Labels extends readonly string[] | undefined>(
  labels: Labels,
  scores: number | null,
): Labels | readonly string[] {
  const [label] = labels ?? [];
  return scores === 1 && labels?.length === 1 ? [`not ${label}`, `${label}`] : labels;
}

/**
 * The labels of a model. If none are given, they are the class indices, and there is a warning.
 * @throws FoveaError `model` if their number is not that of the classes.
 */
export function chooseLabels(
  { name, labels }: { readonly name: string; readonly labels?: readonly string[] },
  classes: number,
  warnings: string[],
): readonly string[] {
  if (!labels) {
    warnings.push(
      `${name}: no labels are given beside the model, so classes are named by their index`,
    );
    return Array.from({ length: classes }, (_, i) => String(i));
  }
  if (labels.length !== classes) {
    throw new FoveaError(
      'model',
      `${name} has ${classes} classes, but ${labels.length} labels are given: ` +
        'expected one label per class',
    );
  }
  return labels;
}
