/** Files that belong to a model. */
const isModelFile = ({ name }: File): boolean =>
  /\.(onnx|json|txt|data|onnx_data|bin)$/i.test(name);
const isOnnx = ({ name }: File): boolean => /\.onnx$/i.test(name);
const isPicture = ({ name, type }: File): boolean =>
  type.startsWith('image/') || /\.(png|jpe?g|webp|gif|bmp|avif|tiff?|heic)$/i.test(name);

/** More files than this are left out. */
const MOST = 2000;

/** Files from a drop, a choice or a folder, by what they are for. */
export interface SortedFiles {
  readonly pictures: readonly File[];
  /** A model and what belongs to it; none if there is no model. */
  readonly model: readonly File[];
}

/**
 * Sorts files. A folder may contain anything, so files that are neither are left out, unless there
 * is nothing else: then the reader says what is wrong with them.
 */
export function sortFiles(files: readonly File[]): SortedFiles {
  const seen = files.filter(({ name }) => !name.startsWith('.'));
  const pictures = seen.filter(isPicture);
  const model = seen.filter((file) => isModelFile(file) && !isPicture(file));
  if (model.some(isOnnx) || (pictures.length === 0 && model.length > 0)) return { pictures, model };
  return { pictures: pictures.length > 0 ? pictures : seen.slice(0, 1), model: [] };
}

const fileOf = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((resolve, reject) => entry.file(resolve, reject));

/** All entries of a folder; the browser hands them out in parts. */
async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (part.length === 0 || all.length >= MOST) return all;
    all.push(...part);
  }
}

async function filesBelow(entry: FileSystemEntry): Promise<File[]> {
  if (entry.name.startsWith('.')) return [];
  if (entry.isFile) return [await fileOf(entry as FileSystemFileEntry)];
  const inside = await entriesOf(entry as FileSystemDirectoryEntry);
  return (await Promise.all(inside.map(filesBelow))).flat().slice(0, MOST);
}

/** The files of a drop, those in dropped folders too. */
export async function droppedFiles(transfer: DataTransfer | null): Promise<File[]> {
  // The browser forgets the items as soon as this function waits.
  const items = [...(transfer?.items ?? [])].filter(({ kind }) => kind === 'file');
  const parts = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const found = await Promise.all(
    parts.map(({ entry, file }) =>
      entry?.isDirectory ? filesBelow(entry) : Promise.resolve(file ? [file] : []),
    ),
  );
  return found.flat();
}
