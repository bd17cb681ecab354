/** What `--help` of each command shows below its options. */

export const explainExamples = `
Examples:
  fovea explain cat.jpg
      Writes fovea-results/cat.iassa.png, .npy and .json, with the demo model.
  fovea explain cat.jpg --model mobilenet_v2.onnx --method iassa,rise --target top:3
      The three likeliest classes by two methods.
  fovea explain photos/ "more/**/*.png" --target "tabby cat" --out maps --json
      Every picture below photos/, and a pattern; one JSON object a line on stdout.
  fovea explain cat.jpg --method rise --set rise.N=8000 --seed 7
      An option of a method (list them with: fovea methods rise).

Files, for each picture, method and class:
  NAME.METHOD.npy    the raw map, float32, height × width of the model's input
  NAME.METHOD.png    the picture, at its own size, with the map over it
  NAME.METHOD.json   all that is needed to make the map again
  NAME.METHOD.top.png  lime and kernel-shap: the picture with only its top superpixels
  With several classes: NAME.METHOD.CLASS-INDEX.npy, …

Exit codes:
  0    all done
  1    some inputs failed (each is named on stderr, the rest is done)
  2    wrong usage
  130  interrupted (finished results are kept)`;

export const iassaExamples = `
Examples:
  fovea iassa --query-path "imgs/*.png" --save-path maps/ --gt-path gt/
  fovea iassa --query-path imgs/ --model mobilenet_v2.onnx --set iterations=15

Masks: for imgs/cat.png the file gt/cat.png (or .jpg, .npy, …), or all of
gt/cat_*.png together; anything but black (0) is the object.

Measures: deletion, insertion, F1, IoU and the pointing game as in Table 1 of
the paper. Image level: the mean over the pictures. Pixel level: the mean of the
measure divided by the number of activated pixels (above 0.3 of the range).`;

export const iiaExamples = `
Examples:
  fovea iia --pics data/pics.txt --model resnet101.onnx --out qualitative_results/
  fovea iia --pics pics.txt --model demo-cnn --target top1 --set levels=3

The list has a picture and the index of its class on each line:
  ILSVRC2012_val_00040418.JPEG 401

Files: NAME.iia.INDEX-LABEL.png, .npy and .json, as in cat.iia.281-tabby.png,
and .layer.npy, the map of the layer.`;

export const sagExamples = `
Examples:
  fovea sag cat.jpg
      Writes fovea-results/cat.sag.svg and .graph.png, a picture of the graph.
  fovea sag photos/ --model mobilenet_v2.onnx --out graphs
      A folder, with statistics; may be stopped and started again.
  fovea sag cat.jpg --set grid=10 --set patches=hard --set ranking=i-gos

Files, for each picture:
  NAME.sag.svg, NAME.sag.graph.png   the graph with what its nodes show
  NAME.sag.dot                       the whole graph for Graphviz
  NAME.sag.json                      the whole graph (extras.sag), and all that is needed to make it again
  NAME.sag.npy, NAME.sag.png         the map: the patches of the roots, by confidence
For all: sag-statistics.json`;

export const alternatesExamples = `
Examples:
  fovea alternates cat.jpg --model mobilenet_v2.onnx
  fovea alternates photos/ --method rise --shares 50,90 --pictures walls/*.jpg
  fovea alternates cat.jpg --inpaint lama.onnx

Files, for each picture:
  NAME.alternates.png    contact sheet: a green frame where the prediction stays
  NAME.alternates.json   every variation, and the accuracy over them for each share
  NAME.METHOD.*          the map, as fovea explain writes it
For all: alternates.json`;

export const evaluateExamples = `
Examples:
  fovea evaluate --dataset objects:data/ --model m.onnx --methods iia,grad-cam
  fovea evaluate --dataset coco:coco/ --model m.onnx --metrics f1,iou --limit 500
  fovea evaluate --dataset demo-scenes --limit 20 --methods rise --out scenes
  fovea evaluate … --out DIR --resume
      Goes on where a stopped run with the same settings was.

Data sets: image-folder:PATH, pics-list:FILE, objects:PATH, coco:PATH, voc:PATH,
imagenet-segmentation:FILE, demo-scenes.

Files in DIR:
  report.html     one page: scores, curves, cost, pictures, protocols
  summary.json    the numbers of the page
  scores.parquet  one row a score
  scores.jsonl    the scores as they came; a stopped run goes on from here
  explanations/   the maps, so that another metric need not make them again

Exit codes:
  0    all done
  1    some pictures or methods failed (each is named on stderr, the rest is done)
  2    wrong usage
  130  interrupted (what is done is kept)`;

export const segmentationExamples = `
Examples:
  fovea segmentation --dataset voc:VOC2012/ --model m.onnx --methods iia,grad-cam
  fovea segmentation --dataset imagenet:gtsegs_ijcv.mat --model m.onnx

Protocol: the object is every annotated pixel of the picture, VOC's void rim included;
the predicted class is explained; a pixel counts as object above the mean of its map.
Pictures and masks are stretched to the model's input, also for models that crop:
--preprocess resize=crop goes back to that. Pictures are normalised as the model
expects; the published script for COCO feeds them without.
Measures: pixel accuracy and mIoU over the data set, mAP, and mF1 as the published
tables have it (the mean over the rows of the picture). Files as in fovea evaluate.`;

export const rootExamples = `
Examples:
  fovea explain cat.jpg
  fovea explain photos/ --model mobilenet_v2.onnx --method rise --out maps
  fovea evaluate --dataset demo-scenes --limit 20
  fovea methods rise
  fovea inspect mobilenet_v2.onnx

More on each: fovea COMMAND --help`;
