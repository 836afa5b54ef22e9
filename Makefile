# make course   run Part I from videos to results              make lab      open the course in JupyterLab
# make scale    install Ray, an extra, and run notebook 12     make clean    remove what runs made (DATASET=..., else mocap)
# make compare  what differs from the committed numbers        make bench    speed and memory against the 2019 recipe
# make test     what is checked at every change                make test-all what is slow, too, with all notebooks
# make test-fast what takes under a minute of that             make site     the course as pages, with search
#
# make classify VIDEO=/path/to/clip.mp4 DATASET=/path/to/pets   say what videos show (trains first, if need be)
# make classify VIDEO=/path/to/clip.mp4 CLASSIFIER=/path/to/classifier.tflite   by one that was trained elsewhere
#
# make course NOTEBOOKS=all                   everything          make course DATASET=/path/to/videos
# make course NOTEBOOKS="04 05" KNOBS="SEED=1, SPLIT='split_by_group'"
#
# For maintainers: make export (cells to lessons/), make outputs (run the committed notebooks again), make lock,
# make publish ADDRESS=https://... (where the course can be cloned from), make test-hosted (notebooks opened alone),
# make test-versions (the oldest and the newest packages that pyproject.toml promises)

# the runner reads these from its environment, so that neither make nor the shell takes them apart
override DATASET := $(value DATASET)
override NOTEBOOKS := $(value NOTEBOOKS)
override KNOBS := $(value KNOBS)
override VIDEO := $(value VIDEO)
override CLASSIFIER := $(value CLASSIFIER)
override ADDRESS := $(value ADDRESS)
export DATASET NOTEBOOKS KNOBS VIDEO CLASSIFIER ADDRESS
export PYTHONPATH := $(CURDIR)/notebooks

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c "$(SUPPORTED)" 2>/dev/null && echo $$python && break; done)
RUN := .venv/bin/python
WEIGHTS := weights/vgg16_imagenet_notop.weights.h5 weights/efficientnet_lite0_imagenet.weights.h5
QUICK := dataset files frame_table frames hosted intervals knobs publish results rooms texts timeline
FRESH := executed/.fresh
FRESH_RUN := env -u DATASET -u NOTEBOOKS -u KNOBS PYTHONPATH= $(RUN) $(FRESH)/tools

.PHONY: course classify scale compare test test-all test-fast test-hosted test-versions test-oldest test-newest lab bench export \
	outputs lock site publish install clean

course: .venv/installed
	@$(RUN) tools/run_course.py

classify: .venv/installed
	@# whoever needs an exit code runs the tool: make would add an "Error 1" of its own
	@$(RUN) tools/classify.py || true

scale: .venv/installed-scale
	@$(RUN) tools/run_course.py --notebooks 12

compare: .venv/installed
	@$(RUN) tools/compare_outputs.py

test: .venv/installed-scale $(WEIGHTS)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) tools/export.py --check
	$(RUN) tools/notebook_code.py
	@# a file of tests stays in one process; three, since kernels that start leave a core idle
	$(RUN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# all notebooks run at full size in a copy of the course as it is committed or staged
test-all: test
	$(RUN) -m pytest -m slow
	rm -rf $(FRESH)
	git checkout-index --all --prefix=$(FRESH)/
	cp $(WEIGHTS) $(FRESH)/weights/
	$(FRESH_RUN)/run_course.py --notebooks all
	$(FRESH_RUN)/run_course.py --notebooks solutions
	$(FRESH_RUN)/compare_outputs.py

# what needs no network's weights and runs no notebook
test-fast: .venv/installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) tools/notebook_code.py
	$(RUN) -m pytest -n 2 --dist loadfile $(QUICK:%=tests/test_%.py)

# the oldest and the newest versions that pyproject.toml promises, each in an environment
# of its own (3 GB) with the Python named; a quarter of an hour each. For another Python:
# make test-newest WAY="--python-version 3.12"
test-versions: test-oldest test-newest
test-oldest: WAY := --python-version 3.11 --resolution lowest-direct
test-newest: WAY := --python-version 3.13
test-oldest test-newest: test-%: .venv/installed $(WEIGHTS)
	$(RUN) -m pip install --quiet --disable-pip-version-check uv
	.venv/bin/uv venv --quiet --clear --seed --python $(word 2,$(WAY)) .venv-$*
	.venv/bin/uv pip compile --quiet $(WAY) --all-extras pyproject.toml -o .venv-$*/versions.txt
	.venv/bin/uv pip install --quiet --python .venv-$* -r .venv-$*/versions.txt
	.venv-$*/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# in an environment like those of hosts, in .venv-hosted (3 GB, once): half an hour
test-hosted: .venv/installed
	$(RUN) -m pytest -m hosted -s

weights/vgg16%: | .venv/installed
	@$(RUN) -c "from toolbox.models.vgg16 import vgg16_weights; vgg16_weights('weights')"

weights/efficientnet%: | .venv/installed
	@$(RUN) -c "from toolbox.models.efficientnet import efficientnet_weights; efficientnet_weights('weights')"

lab: .venv/installed
	$(RUN) -m jupyter lab --LabApp.default_url=/lab/tree/notebooks/00_get_the_videos.ipynb

bench: .venv/installed-scale
	@$(RUN) benchmarks/run.py --dataset "$${DATASET:-mocap}"

export: .venv/installed
	$(RUN) tools/export.py

outputs: export .venv/installed-scale
	@$(RUN) tools/run_course.py --in-place

install: .venv/installed

.venv/installed: requirements.lock
	@test -n "$(PYTHON)" || { echo "The course needs Python 3.11, 3.12 or 3.13. If it is not your python3, name it: make course PYTHON=/path/to/python3.12"; exit 1; }
	@test -x .venv/bin/pip || { echo "making .venv with $$($(PYTHON) --version)"; $(PYTHON) -m venv .venv; }
	@echo "installing the packages of requirements.lock (3 GB on disk, some minutes, once)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $@

.venv/installed-scale: .venv/installed requirements-scale.txt
	@echo "installing Ray, with the versions of requirements.lock (0.5 GB on disk, once)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-scale.txt -c requirements.lock
	@touch $@

lock: .venv/installed
	$(RUN) -m pip install --quiet --disable-pip-version-check uv
	.venv/bin/uv pip compile --universal --python-version 3.11 --no-header --no-annotate --upgrade \
		pyproject.toml --all-extras -o requirements.lock

# pages of the committed outputs: open site/_build/html/index.html
site: .venv/installed-scale
	$(RUN) -m sphinx -q -W --keep-going -c site -d site/_build/doctrees . site/_build/html
	@echo "the site: site/_build/html/index.html"

publish: .venv/installed
	@$(RUN) tools/publish.py $${ADDRESS:+"$$ADDRESS"}

clean: .venv/installed
	@$(RUN) tools/clean.py
