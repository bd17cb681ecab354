/** The exit codes of every command. */
const EXIT_CODES = `
Exit codes:
  0    all done
  1    some inputs or methods failed (stderr names each; the rest is done)
  2    wrong usage
  3    nothing ran: all inputs failed, or the model could not be loaded
  130  interrupted (finished results are kept)`;

const explain = `
Examples:
  fovea explain cat.jpg --model mobilenet_v2.onnx
      Writes fovea-results/cat.iassa.png, .npy and .json.
  fovea explain cat.jpg -m mobilenet_v2.onnx --methods iassa,rise --target top:3
      The three most probable classes, by two methods.
  fovea explain photos/ "more/**/*.png" -t "tabby cat" -t lynx --out maps --json
      Every picture below photos/ and of a pattern; two classes of each.
  fovea explain cat.jpg -m mobilenet_v2.onnx --check sufficient,necessary
      Tests which parts are enough for the class, and which it needs.
  fovea explain cat.jpg --methods rise --set rise.N=8000 --seed 7
      An option of a method (list them with: fovea methods rise).
  fovea explain cat.jpg --plugin ./mine.js --methods mine,rise
      Your own method and a method of Fovea.

Files, for each picture, method and class:
  NAME.METHOD.npy      the raw map, float32, size of the model's input
  NAME.METHOD.png      the picture, at its own size, with the map over it
  NAME.METHOD.json     everything that is needed to make the map again
  NAME.METHOD.top.png  for lime, kernel-shap and rex: only the selected parts
  With --check: NAME.METHOD.sufficient.png shows only the sufficient part, and
  NAME.METHOD.necessary.png all but the necessary part
  With several classes: NAME.METHOD.CLASS-INDEX.npy, …

With --resume, a map is kept if its .json has the same picture, model, options
and seed.
${EXIT_CODES}`;

const iassa = `
Examples:
  fovea iassa imgs/*.png --out maps/ --masks gt/
  fovea iassa --query-path "imgs/*.png" --save-path maps/ --gt-path gt/
      The same with the option names of the paper.
  fovea iassa imgs/ --model mobilenet_v2.onnx --set iterations=15

Masks: for imgs/cat.png the file gt/cat.png (or .jpg, .npy, …), or all files
gt/cat_*.png together. Every pixel that is not black (0) belongs to the object.

Measures: deletion, insertion, F1, IoU and the pointing game as in Table 1 of
the paper. Image level: the mean over the pictures. Pixel level: the mean of the
measure divided by the number of activated pixels (above 0.3 of the range).
${EXIT_CODES}`;

const iia = `
Examples:
  fovea iia --pics data/pics.txt --model resnet101.onnx --out results/
  fovea iia --pics pics.txt --model demo-cnn --target top1 --set levels=3

The list has a picture and the index of its class on each line:
  ILSVRC2012_val_00040418.JPEG 401

Files: NAME.iia.INDEX-LABEL.png, .npy and .json, as in cat.iia.281-tabby.png,
and .layer.npy, the map of the layer.
${EXIT_CODES}`;

const sag = `
Examples:
  fovea sag cat.jpg --model mobilenet_v2.onnx
      Writes fovea-results/cat.sag.svg and .graph.png, a picture of the graph.
  fovea sag photos/ --model mobilenet_v2.onnx --out graphs --resume
      A folder, with statistics; it can be stopped and started again.
  fovea sag cat.jpg --set grid=10 --set patches=hard --set ranking=i-gos

Files, for each picture:
  NAME.sag.svg, NAME.sag.graph.png   the graph with pictures of its nodes
  NAME.sag.dot                       the whole graph for Graphviz
  NAME.sag.json                      the whole graph (extras.sag), and all that
                                     is needed to make it again
  NAME.sag.npy, NAME.sag.png         the map: patches of the roots
For all: sag-statistics.json
${EXIT_CODES}`;

const alternates = `
Examples:
  fovea alternates cat.jpg --model mobilenet_v2.onnx
  fovea alternates photos/ --methods rise --shares 50,90 --pictures walls/*.jpg
  fovea alternates cat.jpg --inpaint lama.onnx

Files, for each picture:
  NAME.alternates.png    contact sheet: a green frame if the prediction stays,
                         a red frame and the other class if it changes
  NAME.alternates.json   every variation, and the accuracy for each share
  NAME.METHOD.*          the map, as fovea explain writes it
For all: alternates.json
${EXIT_CODES}`;

const studio = `
Examples:
  fovea studio
      Opens http://127.0.0.1:8642/ in your browser.
  fovea studio --model mobilenet_v2.onnx --port 9000 --no-open
      Starts with your model. It also reads mobilenet_v2.json beside it.

  fovea studio --write site/
      Writes the page to a folder, for any web server.
${EXIT_CODES}`;

const evaluate = `
Examples:
  fovea evaluate --dataset objects:data/ --model m.onnx --methods iia,grad-cam
  fovea evaluate --dataset coco:coco/ -m m.onnx --metrics f1,iou --limit 500
  fovea evaluate --dataset demo-scenes --limit 20 --methods rise --out scenes
  fovea evaluate … --out DIR --resume
      Continues a run with the same settings that was stopped before.

Files in DIR:
  report.html     one page: scores, curves, cost, pictures, protocols
  summary.json    the numbers of the page
  scores.parquet  one row per score
  scores.jsonl    the scores in their order; a stopped run continues from here
  explanations/   the maps, so that another metric need not compute them again
${EXIT_CODES}`;

const segmentation = `
Examples:
  fovea segmentation --dataset voc:VOC2012/ -m m.onnx --methods iia,grad-cam
  fovea segmentation --dataset imagenet:gtsegs_ijcv.mat --model m.onnx

Protocol: the object is every annotated pixel of the picture, also the void rim
of VOC. The predicted class is explained. Pixels above the mean of their map
count as object. Pictures and masks are stretched to the model's input, also for
models that crop. The option --preprocess resize=crop changes that. Pictures are
normalized as the model expects; the published script for COCO does not
normalize them.
Measures: pixel accuracy and mIoU over the data set, mAP, and mF1 as in the
published tables (the mean over the rows of the picture). The files are those of
fovea evaluate.
${EXIT_CODES}`;

const inspect = `
Examples:
  fovea inspect mobilenet_v2.onnx
  fovea inspect mobilenet_v2.onnx --classes crane
      The classes whose label contains "crane", with their indices.
  fovea inspect demo-vit --json`;

/** What `--help` of each command shows below its options. */
export const examples = {
  explain,
  iassa,
  iia,
  sag,
  studio,
  alternates,
  evaluate,
  segmentation,
  inspect,
};

/** The examples of a command that lists things and describes one of them. */
export function describeExamples(command: string, name: string, more = ''): string {
  return `
Examples:
  fovea ${command}
  fovea ${command} ${name}
  fovea ${command} --json${more}`;
}

/** What `fovea --help` shows below the list of commands. */
export const rootExamples = `
Examples:
  fovea explain cat.jpg --model mobilenet_v2.onnx
  fovea explain photos/ --model mobilenet_v2.onnx --methods rise --out maps
  fovea evaluate --dataset demo-scenes --limit 20
  fovea methods rise
  fovea methods --model mobilenet_v2.onnx
  fovea inspect mobilenet_v2.onnx
${EXIT_CODES}

More on each command: fovea COMMAND --help`;
