# dreamkit with the page, for a processor:   docker build -t dreamkit .
# or for an NVIDIA GPU (gigabytes more):     docker build -t dreamkit --build-arg GPU=1 .
# docs/docker.md says how to run it.

FROM node:24-trixie-slim AS page
WORKDIR /page/dreamkit/web/app
COPY dreamkit/web/app/package.json dreamkit/web/app/.npmrc ./
RUN npm install --silent
COPY dreamkit/web/app ./
COPY dreamkit/web/supported.json ../
RUN npm run --silent build

FROM python:3.13-slim-trixie AS package
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY dreamkit dreamkit
COPY --from=page /page/dreamkit/web/bundle dreamkit/web/bundle
# Into a folder of its own, of which the last stage takes a copy: pip, what it downloaded, and Node.js stay behind. The slim image has no
# libraries of a desktop, which the full OpenCV loads. For a GPU, TensorFlow's own extra brings CUDA. TensorFlow's headers, 0.4 GB, are
# for those who write C++.
ARG GPU=""
RUN python -m venv /opt/dreamkit && \
    /opt/dreamkit/bin/pip install --no-cache-dir --constraint constraints.txt '.[text,video]' && \
    /opt/dreamkit/bin/pip uninstall --yes opencv-python && \
    /opt/dreamkit/bin/pip install --no-cache-dir --constraint constraints.txt 'opencv-python-headless<5' && \
    if [ -n "$GPU" ]; then /opt/dreamkit/bin/pip install --no-cache-dir --constraint constraints.txt 'tensorflow[and-cuda]'; fi && \
    find /opt/dreamkit -path '*/tensorflow/include' -prune -exec rm -r {} + && \
    /opt/dreamkit/bin/pip uninstall --yes pip

FROM python:3.13-slim-trixie
# Weights and compiled steps are kept in the home folder. Anybody may make a folder in it, because `docker run --user` runs dreamkit as the
# owner of the photographs, whose number the image cannot know; what dreamkit makes there belongs to that user alone.
RUN useradd --uid 1000 --no-create-home --home-dir /cache dreamkit && \
    install --directory --mode 1777 /cache /pictures
COPY --from=package /opt/dreamkit /opt/dreamkit
ENV HOME=/cache PATH=/opt/dreamkit/bin:$PATH
USER 1000
WORKDIR /pictures
ENTRYPOINT ["dreamkit"]
CMD ["--help"]
